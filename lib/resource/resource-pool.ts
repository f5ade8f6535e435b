import { throwIfAborted } from '../base/abort.js';
import { setObservable } from '../base/observable.js';
import { checkWaitOptions, type Limits, type WaitOptions } from '../base/wait-options.js';
import type { Diagnosis } from '../diagnose/diagnosis.js';
import { diagnoseResources } from '../diagnose/resources.js';
import { closedPool, invalidArg } from '../errors.js';
import { lendValue } from '../lease/lend.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import { checkOlderThan, type TrackedLease, type TrackedLeasesOptions } from '../tracking/lease-log.js';
import { type ResourcePoolOptions, resolveResourceOptions } from './options.js';
import { ResourceLease } from './resource-lease.js';
import { Resources } from './resources.js';
import { takeResourceStats } from './snapshot.js';

/**
 * A ResourcePool keeps what is dear to open and must be closed: connections, file handles, sessions. (Its shape is that of pgx's
 * pool, by J. Christensen; the words are those of slabpool's other pools.)
 *
 * It lives until {@link close}: a pool that is merely dropped keeps what it has open.
 *
 * ```ts
 * const pool = new ResourcePool({
 *   async open() {
 *     const client = new pg.Client();
 *     client.on('error', () => {}); // one that is lost while idle is noticed by `check`
 *     await client.connect();
 *     return client;
 *   },
 *   close: (client) => client.end(),
 *   check: (client) => client.query(''),
 * });
 * using lease = await pool.acquire();
 * await lease.value.query('SELECT 1');
 * ```
 */
export class ResourcePool<R> {
  /** The option `name`: what errors, events and stats call the pool. */
  readonly name: string;
  readonly #resources: Resources<R>;
  /** The limits of an acquire that has none of its own. */
  readonly #limits: Limits;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(options: ResourcePoolOptions<R>) {
    const resolved = resolveResourceOptions('new ResourcePool(options)', options);
    this.name = resolved.name;
    this.#limits = { signal: undefined, timeout: resolved.acquireTimeoutMs };
    this.#resources = new Resources(resolved);
    setObservable(this);
  }

  /**
   * A lease of a resource: at once, if one is idle; or when one has been opened or released, and it is this request's turn. First come,
   * first served.
   * @returns a promise; it rejects with `ERR_SLABPOOL_TIMEOUT` (of which the cause is the latest failure of `open`, if there was one), the
   * signal's reason, `ERR_SLABPOOL_OPEN_FAILED`, `ERR_SLABPOOL_CIRCUIT_OPEN`, `ERR_SLABPOOL_EXHAUSTED`, `ERR_SLABPOOL_QUEUE_FULL`,
   * `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_INVALID_ARG`
   */
  acquire(options?: WaitOptions): Promise<ResourceLease<R>> {
    // Not an async function, which would make another promise around that of one that waits.
    try {
      const acquired = this.#resources.acquire(this.#check('acquire(options)', options));
      return acquired instanceof ResourceLease ? Promise.resolve(acquired) : acquired;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #check(what: string, options: WaitOptions | undefined): Limits {
    if (options === undefined) return this.#limits;
    const limits = checkWaitOptions(what, options, this.name, this.#limits);
    throwIfAborted(limits.signal);
    return limits;
  }

  /**
   * A lease of a resource that is idle and needs no check, or null. Opens nothing.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  tryAcquire(): ResourceLease<R> | null {
    return this.#resources.tryAcquire();
  }

  /**
   * Lends a lease to `fn`, and releases it when `fn` returns, throws, or the promise that it returned settles. What it returns or
   * resolves to must not be the resource. `fn` calls `lease.destroy()` if it finds the resource broken.
   * @returns a promise of what `fn` returns, or its promise resolves to; it rejects as that of {@link acquire}, with what `fn` throws,
   * and with `ERR_SLABPOOL_BORROWED`
   */
  async borrow<T>(fn: (lease: ResourceLease<R>) => T, options?: WaitOptions): Promise<Awaited<T>> {
    const what = 'borrow(fn, options)';
    if (typeof fn !== 'function') throw invalidArg(`${what}, fn`, 'a function', fn, this.name);
    const lease = await this.#resources.acquire(this.#check(what, options));
    return await lendValue(lease, fn, 'resource', this.name);
  }

  /**
   * The same as `lease.release()`, if the lease is this pool's.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_FOREIGN_LEASE`, `ERR_SLABPOOL_INVALID_ARG`
   */
  release(lease: ResourceLease<R>): void {
    ResourceLease.release(lease, this.#resources);
  }

  /**
   * Closes all resources that are idle, such as when what is at their other end has moved.
   * @returns how many
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  trim(): number {
    return this.#open.retireIdle(() => 'trimmed');
  }

  /**
   * A snapshot; can be had until the pool has ended.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  stats(): ResourcePoolStats {
    return takeResourceStats(this.#open);
  }

  /**
   * Whether the pool is as large as it should be, and what is wrong with its resources, by its {@link stats}. `String(pool.diagnose())`
   * is a report.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  diagnose(): Diagnosis {
    return diagnoseResources(this.stats());
  }

  /**
   * The number of leases that are out.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  outstanding(): number {
    return this.#open.used;
  }

  /**
   * Leases that are out and tracked (`leakDetection`), oldest first.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`
   */
  trackedLeases(options?: TrackedLeasesOptions): TrackedLease[] {
    return this.#open.log.leases(checkOlderThan(options, this.name));
  }

  /**
   * For the end of a test: throws while leases are out. Says where those that are tracked were acquired.
   * @throws `ERR_SLABPOOL_LEAK`, `ERR_SLABPOOL_CLOSED`
   */
  assertNoLeaks(): void {
    this.#open.log.assertNone(this.#open.used);
  }

  /** @throws `ERR_SLABPOOL_CLOSED` once nothing is left of the pool */
  get #open(): Resources<R> {
    if (this.#resources.ending.over) throw closedPool(this.name, 'ResourcePool');
    return this.#resources;
  }

  /**
   * Ends the pool in good order: from now on nothing is leased (`ERR_SLABPOOL_CLOSED`; requests that wait are refused), what is being
   * opened is aborted, what is idle is closed, and what is used when it comes back. When `timeout` is up, or the signal is aborted, what
   * is still used is closed under those who use it; their `release()` is then merely the end of their leases.
   *
   * However the promise settles, each resource has been closed by then, or its `close` was given up after `openTimeoutMs`. Another call
   * waits for the same, with limits of its own.
   * @returns a promise; where leases had to be waited for too long, it rejects in the end with `ERR_SLABPOOL_TIMEOUT`, which says where
   * those were acquired that are tracked, or with the signal's reason
   */
  async close(options?: WaitOptions): Promise<void> {
    await this.#resources.ending.begin(checkWaitOptions('close(options)', options, this.name));
  }

  /** `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
