import { SlabPoolError, type SlabPoolErrorCode } from '../errors.js';
import type { Heap } from '../heap/heap.js';
import { heapOf } from '../heap/heap-of.js';
import { Lease } from '../lease/lease.js';
import type { BufferPool } from '../pool.js';

/** Where leases are found: `'itself'`, keys of an object, or indices of an array. */
type Places = 'itself' | readonly (string | number)[];

/** Adopted; closed with the pool, whose memory goes with the last thread that has it; retired. */
const GONE: readonly SlabPoolErrorCode[] = [
  'ERR_SLABPOOL_STALE_TICKET',
  'ERR_SLABPOOL_CLOSED',
  'ERR_SLABPOOL_DETACHED',
];

/** A plain object or an array. */
export type Container = Record<string | number, unknown>;

/** A parcel is a value on its way to another thread, with tickets for its leases: the threads' messages are made of it. */
export interface Parcel {
  /** A copy with `undefined` in the places of leases. */
  readonly value: unknown;
  readonly places: Places;
  /** One for each place. */
  readonly tickets: readonly number[];
}

/** Cargo is a value with leases that can travel, before they do. */
export class Cargo {
  readonly value: unknown;
  readonly places: Places;
  readonly leases: readonly Lease[];

  /**
   * Finds the leases in a value: the value itself, elements of an array, or own enumerable properties of a plain object. Deeper ones
   * are not found.
   * @param what the public function whose argument or result it is
   * @throws why one of them cannot travel: then all are what they were
   */
  constructor(value: unknown, pool: BufferPool, what: string) {
    const { copy, places, leases } = leasesIn(value);
    check(leases, pool, what);
    if (places !== 'itself') for (const place of places) (copy as Container)[place] = undefined;
    this.value = places === 'itself' ? undefined : copy;
    this.places = places;
    this.leases = leases;
  }

  /** Hands the leases over: they have ended. @returns their tickets */
  send(pool: BufferPool): number[] {
    const tickets: number[] = [];
    try {
      for (const lease of this.leases) tickets.push(lease.transfer());
    } catch (error) {
      discard(tickets, pool);
      throw error;
    }
    return tickets;
  }
}

/** Releases all leases that a {@link Cargo} would find, whoever's they are. */
export function releaseAll(value: unknown): void {
  for (const lease of leasesIn(value).leases) lease[Symbol.dispose]();
}

/**
 * The value of a parcel, with leases of this thread in their places.
 * @throws what has become of one of them: then the others are released
 */
export function unpack({ value, places, tickets }: Parcel, pool: BufferPool): { value: unknown; leases: Lease[] } {
  const leases: Lease[] = [];
  try {
    for (const ticket of tickets) leases.push(pool.adopt(ticket));
  } catch (error) {
    for (const lease of leases) lease.release();
    discard(tickets.slice(leases.length), pool);
    throw error;
  }
  if (places === 'itself') return { value: leases[0], leases };
  leases.forEach((lease, i) => {
    (value as Container)[places[i] as string | number] = lease;
  });
  return { value, leases };
}

/** Gives back what nobody has adopted: the other end is gone, or its answer is not wanted any more. */
export function discard(tickets: readonly number[], pool: BufferPool): void {
  for (const ticket of tickets) {
    try {
      pool.adopt(ticket).release();
    } catch (error) {
      if (!(error instanceof SlabPoolError && GONE.includes(error.code))) throw error;
    }
  }
}

/** The leases at the top level of a value, with their places; and the value, or a copy of it where there are any. Each of them is read once. */
function leasesIn(value: unknown): { copy: unknown; places: Places; leases: Lease[] } {
  if (value instanceof Lease) return { copy: undefined, places: 'itself', leases: [value] };
  if (Array.isArray(value)) {
    const places: number[] = [];
    const leases: Lease[] = [];
    for (let i = 0; i < value.length; i++) {
      const one: unknown = value[i];
      if (!(one instanceof Lease)) continue;
      places.push(i);
      leases.push(one);
    }
    return { copy: places.length === 0 ? value : value.slice(), places, leases };
  }
  if (!isPlain(value)) return { copy: value, places: [], leases: [] };
  const copy = { ...value };
  const places = Object.keys(copy).filter((key) => copy[key] instanceof Lease);
  return { copy, places, leases: places.map((key) => copy[key] as Lease) };
}

/** An object literal, or what has no prototype; also one of another realm. */
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'));
}

function check(leases: readonly Lease[], pool: BufferPool, what: string): void {
  const heap = heapOf(pool) as Heap;
  for (const lease of leases) heap.transfers.movable(Lease.blockOf(lease, heap));
  if (new Set(leases).size < leases.length) {
    const message = `${what}: the same lease is there twice. It has one owner at a time: pass it once, and say where else it is meant`;
    throw new SlabPoolError('ERR_SLABPOOL_INVALID_ARG', message, { pool: pool.name });
  }
}
