import type { Bytes } from '../base/runtime.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { Lease } from '../lease/lease.js';
import type { BufferPool } from '../pool.js';
import { type Chunk, owned, type Span } from './chunk.js';
import { isRefused } from './refusals.js';

/** A lease so many times as large as what it is for is left for a smaller one. */
const MUCH = 4;

export const NO_BYTES: Bytes = Buffer.alloc(0);

/**
 * The bytes of an input that are there and not consumed yet, in one piece, however the input was cut.
 *
 * What       Plain fields: parse in place, between `start` and `end` of `bytes`. What was not consumed when the next bytes come is
 *            carried over to stand before them, and copied once for it.
 * Callers    One thread.
 * Ownership  The window has the lease that its bytes lie in, or borrows them ({@link lend}). Fields are good until the next call.
 * Identity   `position` of the input's bytes are before `bytes[start]`.
 */
export abstract class ByteWindow implements Span {
  /** The pool that records which are taken, or carried over, get their leases from. */
  readonly pool: BufferPool;
  /** What the bytes lie in. */
  bytes: Bytes = NO_BYTES;
  /** Index of the first byte that is not consumed. */
  start = 0;
  /** Index behind the last byte that is there. */
  end = 0;
  /** Whether nothing comes behind `end` any more. */
  ended = false;
  /** What `bytes` lie in, or null if they are borrowed, or nothing. */
  #lease: Lease | null = null;
  /** Offset of `bytes[0]` in the input; may be negative. */
  #base = 0;

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  /** Offset of `bytes[start]` in the input, in bytes. */
  get position(): number {
    return this.#base + this.start;
  }

  /** Bytes that are there. */
  get length(): number {
    return this.end - this.start;
  }

  /**
   * The first `n` bytes are done with.
   * @param n an integer from 0 to {@link length}
   * @throws `ERR_SLABPOOL_INVALID_ARG`
   */
  consume(n: number): void {
    const start = this.start + n;
    // A fraction, NaN, and what is no number fail one of these.
    if (!(n >= 0 && start <= this.end) || !Number.isInteger(n)) this.#refuse('consume(n)', n);
    this.start = start;
  }

  /**
   * Index of the next occurrence of a byte, or of bytes, from `from` on, or -1. What stands behind `end` is not found.
   * @param what a byte's value, or bytes
   * @param from default: `start`
   */
  indexOf(what: number | Uint8Array, from: number = this.start): number {
    const length = typeof what === 'number' ? 1 : what.length;
    const at = this.bytes.indexOf(what, from);
    return at !== -1 && at + length <= this.end ? at : -1;
  }

  /**
   * The first `n` bytes as a chunk of the caller's own; they are consumed. The fewer of the taken bytes and those behind them are copied.
   * @param n an integer from 0 to {@link length}
   * @throws `ERR_SLABPOOL_INVALID_ARG`, and as `acquire()`; nothing is consumed then
   */
  take(n: number): Chunk {
    if (!(n >= 0 && this.start + n <= this.end) || !Number.isInteger(n)) this.#refuse('take(n)', n);
    const { bytes, start, end } = this;
    const lease = this.#lease;
    const behind = end - start - n;
    if (lease === null || n <= behind) {
      const copy = this.leaseFor(n);
      bytes.copy(copy.bytes, 0, start, start + n);
      this.start = start + n;
      return owned(copy, 0, n);
    }
    const rest = behind === 0 ? null : this.leaseFor(behind);
    if (rest !== null) bytes.copy(rest.bytes, 0, start + n, end);
    this.#base += start + n;
    this.#set(rest, behind);
    return owned(lease, start, start + n);
  }

  #refuse(what: string, n: number): never {
    throw invalidArg(what, `an integer from 0 to the ${this.length} bytes that are there`, n, this.pool.name);
  }

  /** `bytes` are now those of `lease`, from its begin on. */
  #set(lease: Lease | null, length: number): void {
    this.#lease = lease;
    this.bytes = lease === null ? NO_BYTES : lease.bytes;
    this.start = 0;
    this.end = length;
  }

  /** The pool's bytes that this window holds. */
  protected get held(): number {
    return this.#lease === null ? 0 : this.bytes.length;
  }

  /** The window has no bytes and no lease any more. */
  protected drop(): void {
    this.#base += this.start;
    const lease = this.#lease;
    this.#set(null, 0);
    lease?.[Symbol.dispose]();
  }

  /** A lease for what is taken. */
  protected leaseFor(size: number): Lease {
    return this.pool.acquire(size);
  }

  /** Somebody's bytes, which the window borrows, behind nothing. Not while it has a lease. */
  protected lend(bytes: Bytes, end: number, start = 0): void {
    this.#base += this.start - start;
    this.#lease = null;
    this.bytes = bytes;
    this.start = start;
    this.end = end;
  }

  /**
   * The next chunk of the input comes behind what there is, if there is room for both in one piece.
   * @param sparing whether to leave a lease that has become much too large
   * @returns 0, and the chunk is the window's; or of how many bytes at least a lease is needed for {@link move}
   */
  protected append(chunk: Chunk, sparing = true): number {
    const { start, end } = this;
    const carried = end - start;
    const coming = chunk.end - chunk.start;
    if (carried <= chunk.start) {
      // Also where nothing is carried over.
      if (carried > 0) this.bytes.copy(chunk.bytes, chunk.start - carried, start, end);
      const lease = this.#lease;
      this.#lease = chunk.lease;
      this.#base += end - chunk.start;
      this.bytes = chunk.bytes;
      this.start = chunk.start - carried;
      this.end = chunk.end;
      lease?.[Symbol.dispose]();
      return 0;
    }
    const needed = carried + coming;
    const { length } = this.bytes;
    if (this.#lease === null || needed > length || (sparing && needed * MUCH < length)) return needed;
    if (end + coming > length) {
      this.bytes.copyWithin(0, start, end);
      this.#base += start;
      this.start = 0;
      this.end = carried;
    }
    chunk.bytes.copy(this.bytes, this.end, chunk.start, chunk.end);
    this.end += coming;
    chunk.release();
    return 0;
  }

  /** There is no lease to move to: the chunk comes into the present one, or goes back. @throws `error`, if it finds no room there */
  protected makeDo(chunk: Chunk, needed: number, error: unknown): void {
    if (!isRefused(error) || needed > this.held) {
      chunk.release();
      throw error;
    }
    this.append(chunk, false);
  }

  /** What there is moves to `lease`, which has room for it. */
  protected move(lease: Lease): void {
    const { bytes, start, end } = this;
    bytes.copy(lease.bytes, 0, start, end);
    const before = this.#lease;
    this.#base += start;
    this.#set(lease, end - start);
    before?.[Symbol.dispose]();
  }

  /** @throws `ERR_SLABPOOL_INVALID_ARG` for what is no number of bytes to read, or a `start` that a caller has set wrong */
  protected checkRead(atLeast: number): void {
    if (!Number.isSafeInteger(atLeast) || atLeast < 0) {
      throw invalidArg('read(atLeast)', 'an integer from 0 (bytes)', atLeast, this.pool.name);
    }
    if (!Number.isInteger(this.start) || this.start < 0 || this.start > this.end) {
      throw invalidArg('read(), start', `an integer from 0 to end, ${this.end}`, this.start, this.pool.name);
    }
  }

  /** @throws `ERR_SLABPOOL_TRUNCATED` if bytes are left that are no whole record, where the input has ended */
  assertNothingLeft(): void {
    if (this.length === 0) return;
    throw new SlabPoolError(
      'ERR_SLABPOOL_TRUNCATED',
      `the input ended within a record: it has ${this.length} bytes of one from offset ${this.position} on`,
      { pool: this.pool.name, details: { offset: this.position, lengthBytes: this.length } },
    );
  }
}
