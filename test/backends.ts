import type { BufferPool, Lease, SlabPoolErrorCode } from 'slabpool';
import { expect } from 'vitest';
import type { Heap } from '../dist/heap/heap.js';
import { heapOf as behind } from '../dist/heap/heap-of.js';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const PAGE = 4 * KiB;

/** Each behaviour is tested on both cores; `describe.each(BACKENDS)`. */
export const BACKENDS = ['native', 'js'] as const;

/** For `toThrow`: an error of our class, with this code and what else matters. */
export function coded(code: SlabPoolErrorCode, message = /./, also: { pool?: string; details?: object } = {}) {
  return expect.objectContaining({ name: 'SlabPoolError', code, message: expect.stringMatching(message), ...also });
}

/** The heap behind a pool: what is private, but has the core's own `checkInvariants()`. */
export function heapOf(pool: BufferPool): Heap {
  return behind(pool) as Heap;
}

const PARTS = [
  'residentBytes',
  'leasedBytes',
  'inFlightBytes',
  'cachedBytes',
  'quarantinedBytes',
  'retiredBytes',
  'pinnedBytes',
  'coldBytes',
] as const;

/**
 * Everything that holds of a pool at any time, whatever was done to it; of other threads, as long as they hold still.
 * One `expect` for all of it: there are hundreds of comparisons, and tests do this after each step.
 */
export function checkBooks(pool: BufferPool): void {
  const stats = pool.stats();
  const wrong: string[] = [];
  const same = (what: string, left: number, right: number) =>
    left === right || wrong.push(`${what}: ${left}, ${right}`);
  const atLeast = (what: string, left: number, right: number) =>
    left >= right || wrong.push(`${what}: ${left} < ${right}`);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

  for (const part of [stats, ...stats.classes]) {
    const { residentBytes, leasedBytes, inFlightBytes, cachedBytes, quarantinedBytes, retiredBytes, pinnedBytes } =
      part;
    const parts = leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes;
    same('residentBytes of its parts', residentBytes, parts);
    for (const key of PARTS) atLeast(key, part[key], 0);
  }
  for (const key of PARTS) same(`${key} of classes`, stats[key], sum(stats.classes.map((k) => k[key])));
  atLeast('maxBytes', stats.maxBytes, stats.residentBytes);
  for (const k of stats.classes) {
    same('leasedBytes of leases', k.leasedBytes, k.outstanding * k.blockBytes);
    atLeast('cachedBytes of parts', k.cachedBytes, k.magazineBytes + k.victimBytes);
    atLeast('peakResidentBytes', k.peakResidentBytes, k.residentBytes);
  }
  atLeast('peak', stats.peak.residentBytes, stats.residentBytes);
  atLeast('maxBytes at the peak', stats.maxBytes, stats.peak.residentBytes);
  const pooled = sum(stats.classes.map((k) => k.outstanding));
  same('outstanding', stats.outstanding, pooled + stats.oversize.outstanding);
  const here = stats.threads.filter((thread) => thread.here);
  same('threads that are this one', here.length, 1);
  same('outstanding()', pool.outstanding(), (here[0]?.outstanding ?? 0) + stats.oversize.outstanding);
  for (const key of ['outstanding', 'leasedBytes', 'magazineBytes'] as const) {
    const oversize = key === 'outstanding' ? stats.oversize.outstanding : 0;
    same(`${key} of threads`, sum(stats.threads.map((thread) => thread[key])), stats[key] - oversize);
  }
  same('misses', stats.misses, stats.hits.cold + stats.hits.slab);
  atLeast('peak of waiting', stats.peak.waiting, stats.waits.waiting);
  atLeast('waits', stats.waits.total, stats.waits.waiting + stats.waits.timedOut + stats.waits.aborted);
  for (const { hits, acquires } of [
    { hits: stats.hits, acquires: stats.acquires - stats.oversize.acquires },
    ...stats.classes,
    ...stats.threads,
  ]) {
    const all = Object.values(hits);
    same('hits', sum(all), acquires);
    for (const n of all) atLeast('hits', n, 0);
  }
  atLeast('hitRate', stats.hitRate, 0);
  atLeast('1', 1, stats.hitRate);

  const { magazines, options } = heapOf(pool);
  for (const { count, floor, held, size, indices, buffers } of magazines) {
    atLeast('blocks in a magazine', count, floor);
    atLeast('blocks held', held, count);
    atLeast('room in a magazine', size, count);
    for (const slots of [indices, buffers]) {
      same('free blocks of a magazine', new Set<unknown>(slots.slice(0, count)).size, count);
    }
  }
  atLeast('an eighth of maxBytes', options.maxBytes / 8, sum(magazines.map(({ extraBytes }) => extraBytes)));

  expect({ invariants: heapOf(pool).core.checkInvariants(), wrong }).toEqual({ invariants: null, wrong: [] });
}

/** Whether it is settled after a few turns of the event loop. */
export async function settled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise
    .catch(() => {})
    .then(() => {
      settled = true;
    });
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return settled;
}

/** Detaches what `bytes` lie in, at once and on every Node, and returns the memory under its new owner. */
export function detach(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  let source: ReadableByteStreamController | undefined;
  const stream = new ReadableStream({
    type: 'bytes',
    start(controller) {
      source = controller;
    },
  });
  source?.enqueue(bytes);
  return stream
    .getReader()
    .read()
    .then(({ value }) => value as Uint8Array);
}

/** Fills the whole block. {@link holdsPattern} then tells whether anybody else wrote there. */
export function fill(lease: Lease, pattern: number): void {
  lease.bytes.fill(pattern & 0xff);
  lease.bytes.writeUInt32LE(pattern >>> 0, 0);
  lease.bytes.writeUInt32LE(pattern >>> 0, lease.capacity - 4);
}

export function holdsPattern(lease: Lease, pattern: number): boolean {
  const { bytes, capacity } = lease;
  return (
    bytes.readUInt32LE(0) === pattern >>> 0 &&
    bytes.readUInt32LE(capacity - 4) === pattern >>> 0 &&
    bytes.subarray(4, capacity - 4).equals(Buffer.alloc(capacity - 8, pattern & 0xff))
  );
}

export function isZero(bytes: Uint8Array): boolean {
  return Buffer.alloc(bytes.length).equals(bytes);
}
