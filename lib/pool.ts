import { throwIfAborted } from './base/abort.js';
import type { Bytes } from './base/runtime.js';
import { checkWaitOptions, type WaitOptions } from './base/wait-options.js';
import { type BackendInfo, joinCore, type OpenedCore, openCore, pageSizeOf } from './core/loader.js';
import { diagnose } from './diagnose/diagnose.js';
import type { Diagnosis } from './diagnose/diagnosis.js';
import { invalidArg, SlabPoolError } from './errors.js';
import { type PoolHandle, readHandle } from './handle.js';
import { Heap } from './heap/heap.js';
import { setHeap } from './heap/heap-of.js';
import { assertNoLeaks } from './heap/outstanding.js';
import { Lease } from './lease/lease.js';
import { lendBuffer } from './lease/lend.js';
import type { Block } from './lease/magazine.js';
import { type BufferPoolOptions, type ResolvedOptions, resolveOptions } from './options.js';
import { takeStats } from './stats/snapshot.js';
import type { PoolStats } from './stats/stats.js';
import { checkOlderThan, type TrackedLease, type TrackedLeasesOptions } from './tracking/lease-log.js';

/**
 * A BufferPool hands out buffers in tiers, within a hard byte budget; it is private to its thread until others attach to it.
 *
 * It lives until {@link close} (or the end of its thread): a pool that is merely dropped keeps what it has leased.
 *
 * ```ts
 * const pool = new BufferPool({ maxBytes: 64 * 1024 * 1024 });
 * const lease = pool.acquire(65_536);
 * const n = fs.readSync(fd, lease.bytes);
 * lease.release();
 * ```
 */
export class BufferPool {
  /** Which core runs this pool, and why. */
  readonly backend: BackendInfo;
  readonly #options: ResolvedOptions;
  readonly #heap: Heap;
  /** Bytes of the largest tier; 0 once closed, so that every acquire takes the slow path. */
  #pooledSize: number;

  /** @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT`, `ERR_SLABPOOL_OUT_OF_MEMORY` */
  constructor(options?: BufferPoolOptions);
  /** @internal */
  constructor(options: ResolvedOptions, joined: OpenedCore);
  constructor(options?: BufferPoolOptions, joined?: OpenedCore) {
    this.#options = joined === undefined ? resolveOptions(options, pageSizeOf) : (options as ResolvedOptions);
    const { core, backend } = joined ?? openCore(this.#options);
    this.backend = backend;
    this.#heap = new Heap(core, this.#options);
    setHeap(this, this.#heap);
    if (joined !== undefined) this.#heap.share();
    this.#pooledSize = this.#options.maxPooledSize;
  }

  /**
   * The pool of another thread, with the same budget and the same blocks. Leases stay in the thread that acquired them, unless
   * they are handed over: {@link Lease.transfer}. The cap on oversize leases is each thread's own.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT`
   */
  static attach(handle: PoolHandle): BufferPool {
    const { address, options } = readHandle(handle);
    return new BufferPool(options, joinCore(address, options));
  }

  /**
   * For {@link attach} in other threads; structured-clonable.
   * @throws `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND` where the core serves one thread only
   */
  get handle(): PoolHandle {
    this.#heap.assertOpen();
    const { address } = this.#heap.core;
    if (address === null) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_BACKEND',
        `only the native core can be shared between threads, and this is the TypeScript one: ${this.backend.reason}`,
        { pool: this.name },
      );
    }
    this.#heap.share();
    return { slabpool: 'pool', address, options: this.#options };
  }

  /** The option `name`: what errors, events and stats call the pool. */
  get name(): string {
    return this.#options.name;
  }

  /** Bytes of the budget. */
  get maxBytes(): number {
    return this.#options.maxBytes;
  }

  /** Bytes of the largest request that is pooled. */
  get maxPooledSize(): number {
    return this.#options.maxPooledSize;
  }

  /** Capacities in bytes, ascending. */
  get tiers(): readonly number[] {
    return this.#options.tiers;
  }

  /**
   * A lease of the smallest tier that holds `size` bytes. Contents are whatever was there before, unless the option `zero`
   * says otherwise.
   * @param size an integer from 0
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_EXHAUSTED`, `ERR_SLABPOOL_OVERSIZE`, `ERR_SLABPOOL_OUT_OF_MEMORY`,
   * `ERR_SLABPOOL_CLOSED`
   */
  acquire(size: number): Lease {
    if (typeof size !== 'number') return this.#acquireOther(size);
    // The index of the last byte. A size of 0 wraps to 2^32 - 1: one comparison catches it and what is too large.
    const last = (size - 1) >>> 0;
    if (last >= this.#pooledSize || last + 1 !== size) return this.#acquireOther(size);
    let magazine = this.#heap.magazineFor(last);
    if (--magazine.untilSample === 0) magazine = this.#heap.sampled(magazine, size);
    if (magazine.count <= magazine.floor) this.#heap.refill(magazine);
    let bytes = magazine.buffers[--magazine.count] as Bytes;
    if (bytes.length !== magazine.capacity) bytes = this.#heap.replace(magazine);
    return new Lease(bytes, magazine, magazine.indices[magazine.count] as number, size);
  }

  /** For a size that is 0, oversize, or nonsense. */
  #acquireOther(size: number): Lease {
    this.#heap.assertGiving();
    if (!Number.isSafeInteger(size) || size < 0) {
      throw invalidArg('acquire(size)', 'a safe integer from 0 (bytes)', size, this.name);
    }
    if (size > this.#pooledSize) return Lease.over(this.#heap.acquireOversize(size), size);
    return Lease.over(Lease.blockOf(this.acquire(1), this.#heap), 0);
  }

  /**
   * As {@link acquire}, but waits while the budget is exhausted. First come, first served, across sizes and across the threads of the
   * pool: a large request is not overtaken by small ones, and while anybody waits, {@link acquire} gets only what its thread
   * still has at hand. (Oversize requests wait for room in `maxOversizeBytes`, each thread for itself.)
   * @throws `ERR_SLABPOOL_TIMEOUT`, the signal's reason, `ERR_SLABPOOL_QUEUE_FULL`, `ERR_SLABPOOL_CLOSED` also when the
   * pool is closed meanwhile, and as {@link acquire}
   */
  async acquireAsync(size: number, options?: WaitOptions): Promise<Lease> {
    return this.#heap.waiters.acquire('acquireAsync(size, options)', size, options, this);
  }

  /**
   * The same as `lease.release()`, checking that the lease is this pool's.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_FOREIGN_LEASE`, `ERR_SLABPOOL_INVALID_ARG`
   */
  release(lease: Lease): void {
    Lease.release(lease, this.#heap);
  }

  /**
   * The lease of a buffer that {@link Lease.transfer} handed over, of the `size` that the sender's lease had. A ticket is good once,
   * in any thread that has the pool.
   * @throws `ERR_SLABPOOL_STALE_TICKET`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_DETACHED`
   */
  adopt(ticket: number): Lease {
    const block = this.#heap.transfers.adopt(ticket);
    return Lease.over(block, this.#heap.transfers.sizeOf(0));
  }

  /**
   * `count` leases of `size` bytes, or none at all and the error that prevented it.
   * @param count an integer from 0
   * @throws as {@link acquire}
   */
  acquireMany(size: number, count: number): Lease[] {
    checkCount('acquireMany(size, count), count', count, this.name);
    const leases: Lease[] = [];
    try {
      for (let i = 0; i < count; i++) leases.push(this.acquire(size));
    } catch (error) {
      for (const lease of leases) lease[Symbol.dispose]();
      throw error;
    }
    return leases;
  }

  /**
   * Releases all leases, or none at all and throws what is wrong with the first wrong one.
   * @throws as {@link release}
   */
  releaseMany(leases: Iterable<Lease>): void {
    if (typeof leases?.[Symbol.iterator] !== 'function') {
      throw invalidArg('releaseMany(leases)', 'an iterable of leases', leases, this.name);
    }
    const ended: [Lease, Block][] = [];
    try {
      for (const lease of leases) ended.push([lease, Lease.take(lease, this.#heap)]);
    } catch (error) {
      for (const [lease, block] of ended) Lease.resume(lease, block);
      throw error;
    }
    for (const [lease, { bytes, magazine, index }] of ended) Lease.end(lease, magazine.put(bytes, index));
  }

  /**
   * Lends a lease to `fn` and releases it when `fn` returns, throws, or the promise that it returned settles. What it returns or
   * resolves to must not be a view of the lease, its Buffer or its ArrayBuffer: copy what is to outlive it.
   * @returns what `fn` returns
   * @throws `ERR_SLABPOOL_BORROWED`, as {@link acquire}, and what `fn` throws
   */
  borrow<T>(size: number, fn: (lease: Lease) => T): T {
    if (typeof fn !== 'function') throw invalidArg('borrow(size, fn), fn', 'a function', fn, this.name);
    return lendBuffer(this.acquire(size), fn, this.name);
  }

  /**
   * As {@link borrow}, but waits for the lease as {@link acquireAsync} does.
   * @returns a promise of what `fn` returns, or its promise resolves to
   * @throws `ERR_SLABPOOL_BORROWED`, as {@link acquireAsync}, and what `fn` throws
   */
  async borrowAsync<T>(size: number, fn: (lease: Lease) => T, options?: WaitOptions): Promise<Awaited<T>> {
    const what = 'borrowAsync(size, fn, options)';
    if (typeof fn !== 'function') throw invalidArg(`${what}, fn`, 'a function', fn, this.name);
    const lease = await this.#heap.waiters.acquire(what, size, options, this);
    return await lendBuffer(lease, fn, this.name);
  }

  /**
   * Makes `count` buffers of the tier of `size` ready to be acquired in this thread, with memory, ArrayBuffers and page
   * tables; those that are free anyway count. All or nothing: where the budget has no room for all, nothing changes.
   * Nothing else that is cached is given up for them. No statistics count it.
   * @param size an integer from 0 to `maxPooledSize`
   * @param count an integer from 0
   * @throws `ERR_SLABPOOL_EXHAUSTED` with `details.possible`, the number that there is room for,
   * `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_OUT_OF_MEMORY`, `ERR_SLABPOOL_CLOSED`
   */
  prewarm(size: number, count: number): void {
    this.#heap.assertOpen();
    if (!Number.isSafeInteger(size) || size < 0 || size > this.maxPooledSize) {
      const expected = `a safe integer from 0 (bytes), at most maxPooledSize, ${this.maxPooledSize}`;
      throw invalidArg('prewarm(size, count), size', expected, size, this.name);
    }
    checkCount('prewarm(size, count), count', count, this.name);
    this.#heap.prewarm(this.#heap.magazineFor(Math.max(0, size - 1)), count);
  }

  /**
   * Gives everything that is free back to the operating system, but for pages that a block in use lies on as well. What
   * other threads have in their magazines follows when they have flushed these.
   * @returns the bytes given back until then
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  trim(): number {
    return this.#heap.trim();
  }

  /**
   * A snapshot; walks the tiers, so keep it off the hot path.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  stats(): PoolStats {
    this.#heap.assertOpen();
    const stats = takeStats(this.#heap, this.backend.kind, this.#options);
    this.#heap.outbox.publish();
    return stats;
  }

  /**
   * Whether this pool pays its rent: {@link diagnose} of {@link stats}. `String(pool.diagnose())` is a report.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  diagnose(): Diagnosis {
    return diagnose(this.stats());
  }

  /**
   * The number of leases that this thread has out.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  outstanding(): number {
    this.#heap.assertOpen();
    const outstanding = this.#heap.outstanding();
    this.#heap.outbox.publish();
    return outstanding;
  }

  /**
   * This thread's leases that are out and tracked (`leakDetection`), oldest first.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`
   */
  trackedLeases(options?: TrackedLeasesOptions): TrackedLease[] {
    this.#heap.assertOpen();
    const olderThanMs = checkOlderThan(options, this.name);
    const leases = this.#heap.tracker.leases(olderThanMs);
    this.#heap.outbox.publish();
    return leases;
  }

  /**
   * For the end of a test: throws while leases of this thread are out, or tickets that it sent are not adopted, without asking the
   * garbage collector. Says where those leases that are tracked were acquired.
   * @throws `ERR_SLABPOOL_LEAK`, `ERR_SLABPOOL_CLOSED`
   */
  assertNoLeaks(): void {
    this.#heap.assertOpen();
    assertNoLeaks(this.#heap);
  }

  /**
   * Ends the pool in good order: from now on no thread acquires anything (`ERR_SLABPOOL_CLOSED`; requests that wait are refused), leases,
   * tickets and messages that are out can still be used, handed over, received and released, and when the last one is back, this
   * thread's part is closed. Oversize leases of other threads are not waited for; these close their own parts.
   *
   * If it rejects, the pool is still open, and gives nothing out: drain again, or close.
   * @throws `ERR_SLABPOOL_TIMEOUT` with what is still out and where it was acquired, the signal's reason, `ERR_SLABPOOL_CLOSED` when the
   * pool is closed meanwhile, `ERR_SLABPOOL_INVALID_ARG`
   */
  async drain(options?: WaitOptions): Promise<void> {
    this.#heap.assertOpen();
    const checked = checkWaitOptions('drain(options)', options, this.name);
    throwIfAborted(checked.signal);
    this.#pooledSize = 0;
    await this.#heap.drains.begin(checked);
    this.close();
  }

  /** `await using`: {@link drain}, unless the pool is closed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#heap.closed) await this.drain();
  }

  /**
   * Ends the pool for this thread: further calls throw `ERR_SLABPOOL_CLOSED`. Leases that are out keep their bytes and are released as
   * usual; the pool ends with the last of them, and its memory goes back. Views of leases that have ended have a length of 0 from then
   * on. A second close does nothing.
   */
  close(): void {
    this.#pooledSize = 0;
    this.#heap.close();
  }

  /** `using`: {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

function checkCount(what: string, count: number, pool: string): void {
  if (!Number.isSafeInteger(count) || count < 0) throw invalidArg(what, 'an integer from 0', count, pool);
}
