import { checkOptions } from '../../base/check-options.js';
import type { Bytes } from '../../base/runtime.js';
import type { WaitOptions } from '../../base/wait-options.js';
import { invalidArg, SlabPoolError } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { NO_BYTES } from '../byte-window.js';
import { type Chunk, owned, type Span } from '../chunk.js';

/** Least `segment`. A hole, and what cuts a string at whole characters, need less. */
const LEAST_SEGMENT = 16;

const NO_VIEW: DataView = new DataView(NO_BYTES.buffer, NO_BYTES.byteOffset, 0);

/** Options of a writer. */
export interface ByteWriterOptions {
  /** Bytes of a segment, an integer from 16; rounded up to a tier of the pool. Default: 64 KiB. */
  segment?: number;
  /** The most that is written before the writer is emptied: `ERR_SLABPOOL_TOO_LONG`. Default: `Infinity`. */
  maxBytes?: number;
}

/** What there was from one emptying of a writer to the next: holes of before are dead. */
export class Turn {}

/**
 * An output that grows by segments, each a lease.
 *
 * What       `bytes` is the segment that is being written, `position` the index of its next byte, `limit` the index behind the last
 *            one that may be written. Segments before it are kept as they are: nothing is copied when it grows.
 * Callers    One thread.
 * Ownership  The chain has its leases until they are detached or released; the first is acquired when something is written. Fields and
 *            spans are good until the next call.
 * Identity   What is wrong throws before anything has changed.
 */
export abstract class SegmentChain implements Disposable {
  /** The pool that the segments are of. */
  readonly pool: BufferPool;
  /** The segment that is being written. */
  bytes: Bytes = NO_BYTES;
  /** Index of the next byte: encoders that write themselves move it, after `reserve()`. */
  position = 0;
  /** Index behind the last byte that may be written; -1 once released, so that nothing fits. */
  limit = 0;
  /** Bytes of a segment, as a rule. */
  protected readonly segment: number;
  /** Over `bytes`: one store for a number of several bytes, where an index into `bytes` takes one for each. */
  protected view: DataView = NO_VIEW;
  readonly #maxBytes: number;
  /** What `bytes` lie in; null before the first segment. */
  #lease: Lease | null = null;
  /** The segments before it, of which none is empty. */
  #full: Chunk[] = [];
  /** Bytes in these. */
  #before = 0;
  #turn = new Turn();

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(pool: BufferPool, options?: ByteWriterOptions) {
    const what = 'new ByteWriter(pool, options)';
    if (typeof pool?.acquire !== 'function') throw invalidArg(`${what}, pool`, 'a BufferPool', pool);
    const { segment = 64 * 1024, maxBytes = Infinity } = checkOptions(
      what,
      options,
      ['segment', 'maxBytes'],
      pool.name,
    );
    if (!Number.isSafeInteger(segment) || segment < LEAST_SEGMENT) {
      throw invalidArg(`${what}, option 'segment'`, `an integer from ${LEAST_SEGMENT} (bytes)`, segment, pool.name);
    }
    if (maxBytes !== Infinity && (!Number.isSafeInteger(maxBytes) || maxBytes < 0)) {
      throw invalidArg(`${what}, option 'maxBytes'`, 'an integer from 0 (bytes), or Infinity', maxBytes, pool.name);
    }
    this.pool = pool;
    this.segment = pool.tiers.find((tier) => tier >= segment) ?? segment;
    this.#maxBytes = maxBytes;
  }

  /** Bytes written since the writer was empty. */
  get length(): number {
    return this.#before + this.position;
  }

  /**
   * Room for `n` bytes in one piece: `bytes[position]` is the first of them. Where the segment has no such room, another one becomes
   * `bytes`; more than a segment gets a lease of that size.
   * @returns `position`
   * @throws `ERR_SLABPOOL_TOO_LONG`, `ERR_SLABPOOL_EXHAUSTED` and what else `acquire()` throws, `ERR_SLABPOOL_INVALID_ARG`,
   * `ERR_SLABPOOL_LEASE_RELEASED`
   */
  reserve(n: number): number {
    const at = this.position;
    return n >= 0 && n <= this.limit - at ? at : this.room(n);
  }

  /**
   * As {@link reserve}, but waits while the budget is exhausted: the next `reserve(n)` does not throw then. Others must release: what
   * this writer holds may be all there is, so flush before.
   * @throws as {@link reserve} and `acquireAsync()`
   */
  async ready(n: number, options?: WaitOptions): Promise<void> {
    this.check('ready(n)');
    this.#checkCount('ready(n)', n);
    if (n <= this.limit - this.position) return;
    this.checkGrowth(n);
    this.#dropEmpty();
    const lease = await this.pool.acquireAsync(Math.max(n, this.segment), options);
    try {
      this.check('ready(n)');
      if (n > this.limit - this.position) {
        this.checkGrowth(n);
        this.append(lease);
        return;
      }
    } catch (error) {
      lease[Symbol.dispose]();
      throw error;
    }
    lease[Symbol.dispose]();
  }

  /**
   * `n` bytes from `position` on are written. They are taken as they are: what was not written is whatever was there before.
   * @param n an integer from 0 to `limit - position`
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_LEASE_RELEASED`
   */
  advance(n: number): void {
    const to = this.position + n;
    if (!(n >= 0 && to <= this.limit) || !Number.isInteger(n)) {
      this.check('advance(n)');
      const most = this.limit - this.position;
      throw invalidArg(
        'advance(n)',
        `an integer from 0 to what is left of the segment, ${most} bytes`,
        n,
        this.pool.name,
      );
    }
    this.position = to;
  }

  /** What was written, in order; borrowed. */
  segments(): Iterable<Span> {
    this.check('segments()');
    const spans: Span[] = this.#full.map(({ bytes, start, end }) => ({ bytes, start, end }));
    if (this.position > 0) spans.push({ bytes: this.bytes, start: 0, end: this.position });
    return spans;
  }

  /**
   * What was written in one piece; borrowed. Where it lies in several segments, they are merged into one, and holes cannot be filled any
   * more.
   * @throws as `acquire()`
   */
  contiguous(): Bytes {
    this.check('contiguous()');
    if (this.#full.length > 0) {
      const { length } = this;
      const lease = this.pool.acquire(length);
      this.#copyInto(lease.bytes);
      this.#release();
      this.#set(lease, length);
    }
    return this.bytes.subarray(0, this.position);
  }

  /** A copy of what was written, which is the caller's. */
  copy(): Bytes {
    this.check('copy()');
    const copy = Buffer.allocUnsafe(this.length) as Bytes;
    this.#copyInto(copy);
    return copy;
  }

  /** What was written, as chunks that are the caller's; the writer is empty then. */
  detach(): Chunk[] {
    this.check('detach()');
    const chunks = this.#full;
    this.#turn = new Turn();
    this.#full = [];
    this.#before = 0;
    if (this.#lease !== null && this.position > 0) {
      chunks.push(owned(this.#lease, 0, this.position));
      this.#set(null, 0);
    } else {
      this.#set(this.#lease, 0);
    }
    return chunks;
  }

  /** The writer is empty; one segment is kept. */
  reset(): void {
    this.check('reset()');
    let kept = this.#lease;
    this.#lease = null;
    if (kept !== null && kept.capacity > this.segment) {
      kept.release();
      kept = null;
    }
    this.#release();
    this.#set(kept, 0);
  }

  /**
   * Gives everything back; what was written is gone.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, and from all methods
   */
  release(): void {
    this.check('release()');
    this[Symbol.dispose]();
  }

  /** `using`: {@link release}, unless it is. */
  [Symbol.dispose](): void {
    this.#release();
    this.#set(null, 0);
    this.limit = -1;
  }

  /**
   * What holes must have to be filled.
   * @internal
   */
  protected get turn(): Turn {
    return this.#turn;
  }

  /** {@link reserve} where there may be no room. */
  protected room(n: number): number {
    this.check('reserve(n)');
    this.#checkCount('reserve(n)', n);
    if (n > this.limit - this.position) {
      this.checkGrowth(n);
      this.#dropEmpty();
      this.append(this.pool.acquire(Math.max(n, this.segment)));
    }
    return this.position;
  }

  /** Segments for `n` bytes behind the present one, each of which may stay short of `waste` bytes: all, or none and an error. */
  protected more(n: number, waste: number): Lease[] {
    return this.pool.acquireMany(this.segment, Math.ceil(n / (this.segment - waste)));
  }

  /** `lease` is the segment that is written from now on. */
  protected append(lease: Lease): void {
    if (this.#lease !== null) {
      this.#full.push(owned(this.#lease, 0, this.position));
      this.#before += this.position;
    }
    this.#set(lease, 0);
  }

  /** The first segments again, of what {@link detach} gave, in a writer that is empty. */
  protected attach(chunks: Chunk[]): void {
    this.#dropEmpty();
    this.#full = chunks;
    this.#before = chunks.reduce((sum, { start, end }) => sum + end - start, 0);
    this.#set(null, 0);
  }

  /** @throws `ERR_SLABPOOL_LEASE_RELEASED`, or `ERR_SLABPOOL_INVALID_ARG` for a `position` that a caller has set wrong */
  protected check(what: string): void {
    const { position, limit } = this;
    if (limit === -1) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_LEASE_RELEASED',
        `${what}: this writer was released before; make another one, or reset() it instead of release()`,
        { pool: this.pool.name },
      );
    }
    if (!Number.isInteger(position) || position < 0 || position > limit) {
      throw invalidArg(`${what}, position`, `an integer from 0 to limit, ${limit}`, position, this.pool.name);
    }
  }

  /** @throws `ERR_SLABPOOL_TOO_LONG` */
  protected checkGrowth(n: number): void {
    const { length } = this;
    if (length + n > this.#maxBytes) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_TOO_LONG',
        `there is no room for ${n} bytes: ${length} are written, and maxBytes is ${this.#maxBytes}; flush, or reset the writer`,
        { pool: this.pool.name, details: { offset: length, lengthBytes: n, maxBytes: this.#maxBytes } },
      );
    }
  }

  #checkCount(what: string, n: number): void {
    if (!Number.isSafeInteger(n) || n < 0) throw invalidArg(what, 'an integer from 0 (bytes)', n, this.pool.name);
  }

  /** A segment that nothing was written to goes before another comes, since the budget may not have room for both. */
  #dropEmpty(): void {
    if (this.#lease === null || this.position > 0) return;
    const lease = this.#lease;
    this.#set(null, 0);
    lease.release();
  }

  #set(lease: Lease | null, position: number): void {
    this.#lease = lease;
    const bytes = lease === null ? NO_BYTES : lease.bytes;
    if (bytes.buffer !== this.view.buffer) this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.bytes = bytes;
    this.position = position;
    this.limit = Math.min(bytes.length, this.#maxBytes - this.#before);
  }

  /** All segments go back; holes are dead. */
  #release(): void {
    const lease = this.#lease;
    const full = this.#full;
    this.#turn = new Turn();
    this.#lease = null;
    this.#full = [];
    this.#before = 0;
    for (const chunk of full) chunk.release();
    lease?.release();
  }

  #copyInto(target: Bytes): void {
    let at = 0;
    for (const { bytes, start, end } of this.#full) at += bytes.copy(target, at, start, end);
    this.bytes.copy(target, at, 0, this.position);
  }
}
