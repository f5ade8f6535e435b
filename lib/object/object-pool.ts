import { setObservable } from '../base/observable.js';
import type { Diagnosis } from '../diagnose/diagnosis.js';
import { diagnoseObjects } from '../diagnose/objects.js';
import { invalidArg } from '../errors.js';
import { lendValue } from '../lease/lend.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import { checkOlderThan, type TrackedLease, type TrackedLeasesOptions } from '../tracking/lease-log.js';
import type { IdleStack } from './idle-stack.js';
import { ObjectLease } from './object-lease.js';
import { ObjectStore } from './object-store.js';
import { type ObjectPoolOptions, resolveObjectOptions } from './options.js';
import { takeObjectStats } from './snapshot.js';
import { setStore } from './store-of.js';

/**
 * A pool of objects that are dear to make and can be used again: parsers, encoders, compression contexts, structs with maps and arrays.
 * One thread's own. (Go's `sync.Pool` with a type, and with leases that are checked; `keep` is the `PooledObjectPolicy.Return` of .NET.)
 *
 * Idle objects are a stack, so that the one used last is used next, and those at the bottom, which nobody needs, are dropped after two
 * epochs. The pool refers to nothing that is leased. One that is merely dropped calls `destroy` for nothing that it has: {@link close} it.
 *
 * ```ts
 * const pool = new ObjectPool({ create: () => new Map<string, string>(), reset: (map) => map.clear() });
 * const lease = pool.acquire();
 * lease.value.set('key', 'value');
 * lease.release();
 * ```
 */
export class ObjectPool<T extends object> {
  readonly #stack: IdleStack<T>;
  readonly #store: ObjectStore<T>;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(options: ObjectPoolOptions<T>) {
    this.#store = new ObjectStore(resolveObjectOptions(options));
    this.#stack = this.#store.idle;
    setStore(this, this.#store);
    setObservable(this);
  }

  /** The option `name`: what errors, events and stats call the pool. */
  get name(): string {
    return this.#store.name;
  }

  /**
   * A lease of the idle object that was used last, reset unless that was done on release; of a new one if none is idle.
   * @throws `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_INVALID_ARG` if a callback returns what it must not, what `create` throws, and what
   * `reset` throws: the object that it was called with is destroyed then
   */
  acquire(): ObjectLease<T> {
    let stack = this.#stack;
    if (--stack.untilSample === 0) stack = this.#store.sampled();
    const created = stack.count <= stack.floor && this.#store.stock();
    const top = --stack.count;
    const value = stack.values[top] as T;
    stack.values[top] = undefined;
    if (stack.reset !== null && !created) this.#store.reset(stack.reset, value);
    return new ObjectLease(value, stack);
  }

  /**
   * The same as `lease.release()`, checking that the lease is this pool's.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_FOREIGN_LEASE`, `ERR_SLABPOOL_INVALID_ARG`, and what `keep` and `reset` throw
   */
  release(lease: ObjectLease<T>): void {
    ObjectLease.release(lease, this.#store);
  }

  /**
   * Lends a lease to `fn` and releases it when `fn` returns, throws, or the promise that it returned settles. What it returns or
   * resolves to must not be the object itself, nor the lease.
   * @returns what `fn` returns
   * @throws `ERR_SLABPOOL_BORROWED`, as {@link acquire}, and what `fn` throws
   */
  borrow<R>(fn: (lease: ObjectLease<T>) => R): R {
    if (typeof fn !== 'function') throw invalidArg('borrow(fn), fn', 'a function', fn, this.name);
    return lendValue(this.acquire(), fn, 'object', this.name);
  }

  /**
   * Creates objects until so many are idle; those that nobody uses are dropped after two epochs like all others. If `create` throws, those
   * that were created before are kept.
   * @param count an integer from 0 to the option `maxIdle`
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, and what `create` throws
   */
  prewarm(count: number): void {
    this.#store.assertOpen();
    const { maxIdle } = this.#store.options;
    if (!Number.isSafeInteger(count) || count < 0 || count > maxIdle) {
      throw invalidArg('prewarm(count)', `an integer of 0 to maxIdle, ${maxIdle}`, count, this.name);
    }
    this.#store.prewarm(count);
  }

  /**
   * Drops all idle objects.
   * @returns how many these were
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  trim(): number {
    this.#store.assertOpen();
    return this.#store.trim();
  }

  /**
   * A snapshot.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  stats(): ObjectPoolStats {
    this.#store.assertOpen();
    return takeObjectStats(this.#store);
  }

  /**
   * Whether this pool pays its rent, by {@link stats}. `String(pool.diagnose())` is a report.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  diagnose(): Diagnosis {
    return diagnoseObjects(this.stats());
  }

  /**
   * The number of leases that are out. A lease that was forgotten counts until it is collected, and for ever if it is not tracked.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  outstanding(): number {
    this.#store.assertOpen();
    return this.#store.outstanding();
  }

  /**
   * The leases that are out and tracked (`leakDetection`), oldest first.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`
   */
  trackedLeases(options?: TrackedLeasesOptions): TrackedLease[] {
    this.#store.assertOpen();
    const olderThanMs = checkOlderThan(options, this.name);
    this.#store.drain();
    return this.#store.log.leases(olderThanMs);
  }

  /**
   * For the end of a test: throws while leases are out, without asking the garbage collector. Says where those that are tracked were
   * acquired.
   * @throws `ERR_SLABPOOL_LEAK`, `ERR_SLABPOOL_CLOSED`
   */
  assertNoLeaks(): void {
    this.#store.log.assertNone(this.outstanding());
  }

  /**
   * Ends the pool: destroys what is idle, and further calls throw `ERR_SLABPOOL_CLOSED`. Leases that are out can still be used; their
   * objects are destroyed when they are released. A second close does nothing.
   */
  close(): void {
    this.#store.close();
  }

  /** `using`: {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}
