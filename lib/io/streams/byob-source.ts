import { SlabPoolError } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { type Chunk, owned } from '../chunk.js';
import { GuardedSource } from './guarded-source.js';

/** A web stream of bytes, which reads into the blocks. */
export class ByobSource extends GuardedSource {
  readonly #reader: ReadableStreamBYOBReader;
  readonly #block: number;

  constructor(pool: BufferPool, reader: ReadableStreamBYOBReader, block: number, signal: AbortSignal | undefined) {
    super(pool, signal);
    this.#reader = reader;
    this.#block = block;
  }

  protected async fill(signal: AbortSignal): Promise<Chunk | null> {
    const start = Math.min(this.headroom, this.#block >>> 1);
    for (;;) {
      let lease = await this.pool.acquireAsync(this.#block, { signal });
      try {
        const { value, done } = await this.#reader.read(lease.bytes.subarray(start, this.#block));
        if (value !== undefined) lease = await this.#back(lease, value, start, signal);
        if (done) {
          // Cancelled, it still has its lock, which cancel() releases.
          if (!signal.aborted) this.#reader.releaseLock();
          lease.release();
          return null;
        }
        if (value.byteLength > 0) return owned(lease, start, start + value.byteLength);
      } catch (error) {
        lease[Symbol.dispose]();
        throw error;
      }
      lease.release();
    }
  }

  /** The lease with what was read: the same, or another where the stream has put other memory in the place of the lease's. */
  async #back(lease: Lease, value: Uint8Array, start: number, signal: AbortSignal): Promise<Lease> {
    try {
      lease.reclaim(value);
      return lease;
    } catch (error) {
      if (!(error instanceof SlabPoolError) || error.code !== 'ERR_SLABPOOL_FOREIGN_BUFFER') throw error;
    }
    lease.release();
    const other = await this.pool.acquireAsync(this.#block, { signal });
    other.bytes.set(value, start);
    return other;
  }

  protected async cancel(reason: unknown): Promise<void> {
    try {
      await this.#reader.cancel(reason);
    } finally {
      this.#reader.releaseLock();
    }
  }
}
