import type { Bytes } from '../base/runtime.js';
import { invalidArg } from '../errors.js';
import { Lease } from '../lease/lease.js';
import type { BufferPool } from '../pool.js';

/** Where some bytes lie: `bytes[start]` is the first, `bytes[end]` is behind the last. */
export interface Span {
  /** Whose length is more than `end`, as a rule. */
  readonly bytes: Bytes;
  /** Index of the first byte. */
  readonly start: number;
  /** Index behind the last byte. */
  readonly end: number;
}

/**
 * A span and the lease that it lies in: whoever has a chunk owns it, until it is released or transferred. What lies before `start` and
 * behind `end` is the owner's as well.
 */
export interface Chunk extends Span, Disposable {
  /** The whole lease. */
  readonly lease: Lease;
  /**
   * Gives the lease back.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time
   */
  release(): void;
  /**
   * Hands the lease over: see `Lease.transfer()`. The next lease has `end` as its `size`; `start` is for the caller to tell, where it is
   * not 0.
   * @throws as `Lease.transfer()`
   */
  transfer(): number;
}

class OwnedChunk implements Chunk {
  readonly lease: Lease;
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;

  constructor(lease: Lease, start: number, end: number) {
    this.lease = lease;
    this.bytes = lease.bytes;
    this.start = start;
    this.end = end;
  }

  release(): void {
    this.lease.release();
  }

  transfer(): number {
    return Lease.transferOf(this.lease, this.end);
  }

  [Symbol.dispose](): void {
    this.lease[Symbol.dispose]();
  }
}

/** Makes a chunk of a lease that the caller owns and gives away, without checks. */
export function owned(lease: Lease, start: number, end: number): Chunk {
  return new OwnedChunk(lease, start, end);
}

/**
 * A chunk of a lease, which belongs to the chunk from then on: for sources of your own.
 * @param start index of the first byte
 * @param end index behind the last byte, at most the lease's capacity
 * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_LEASE_RELEASED`
 */
export function chunkOf(lease: Lease, start: number, end: number): Chunk {
  if (!(lease instanceof Lease)) throw invalidArg('chunkOf(lease, start, end), lease', 'a lease', lease);
  const { capacity } = lease;
  if (!Number.isInteger(end) || end < 0 || end > capacity) {
    throw invalidArg('chunkOf(lease, start, end), end', `an integer from 0 to the lease's capacity, ${capacity}`, end);
  }
  if (!Number.isInteger(start) || start < 0 || start > end) {
    throw invalidArg('chunkOf(lease, start, end), start', `an integer from 0 to end, ${end}`, start);
  }
  return owned(lease, start, end);
}

/**
 * What a source of anybody's making has given.
 * @param what the public function, and its argument
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function assertChunk(given: Span & Disposable, what: string): void {
  const { bytes, [Symbol.dispose]: dispose } = (given ?? {}) as Partial<Span & Disposable>;
  if (bytes && typeof dispose === 'function') return;
  throw invalidArg(
    what,
    'a source of chunks: chunkOf(lease, start, end) makes one, fromReadable() those of a stream',
    given,
  );
}

/** Chunks one after the other, each of which belongs to whoever gets it. Can be gone through once. */
export interface ChunkSource extends AsyncIterable<Chunk>, AsyncDisposable {
  /** The pool that the chunks are of. */
  readonly pool: BufferPool;
}

/** As {@link ChunkSource}, of chunks that are there when they are asked for. */
export interface ChunkSourceSync extends Iterable<Chunk>, Disposable {
  /** The pool that the chunks are of. */
  readonly pool: BufferPool;
}
