import { clearTimeout, setTimeout } from 'node:timers';
import { abortReason, onAbort, throwIfAborted } from '../base/abort.js';
import { checkOptions } from '../base/check-options.js';
import { integer, poolName } from '../base/option-checks.js';
import { now, outside } from '../base/runtime.js';
import { checkWaitOptions, type Limits, LONGEST_TIMEOUT, type WaitOptions } from '../base/wait-options.js';
import { invalidArg, SlabPoolError, type SlabPoolErrorCode } from '../errors.js';
import { type CloseCause, events, type ResourceMovedEvent } from '../events.js';
import { lendValue } from '../lease/lend.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import { closeAll } from './close-all.js';
import { FailureWindow } from './failure-window.js';
import { LimitedCall } from './limited-call.js';
import type { ResourcePoolOptions } from './options.js';
import type { ResourceLease } from './resource-lease.js';
import { ResourcePool } from './resource-pool.js';

/** Options of a {@link FailoverPool}. What is misspelt or ill-typed is an `ERR_SLABPOOL_INVALID_ARG`. */
export interface FailoverPoolOptions<R> {
  /** The pool's name; not empty. Default: `'failover-pool-N'`, counted in each thread. */
  name?: string;
  /**
   * The options of the pool to be used. Defaults that differ, so that what is down is noticed soon: `acquireTimeoutMs` and
   * `openTimeoutMs` are 1000, `openRetries` is 0; its name is `'NAME/primary'`.
   */
  primary: ResourcePoolOptions<R>;
  /** The options of the pool for when that fails. A `minIdle` keeps it warm. Its name is `'NAME/spare'` by default. */
  spare: ResourcePoolOptions<R>;
  /** So many failures of the primary within {@link windowMs} move to the spare: 1 to 1000. Default: 5. */
  failures?: number;
  /** Milliseconds, 1 to 2^31 - 1. Default: 10,000. */
  windowMs?: number;
  /** Milliseconds between two looks whether the primary is back, 1 to 2^31 - 1. Default: 500. */
  probeMs?: number;
  /**
   * How long an acquire may take, at both pools together, that has no `timeout` of its own: 1 to 2^31 - 1
   * milliseconds. Default: 30,000.
   */
  acquireTimeoutMs?: number;
}

/** A snapshot of a {@link FailoverPool}. */
export interface FailoverPoolStats {
  /** Name of the pool. */
  readonly name: string;
  /** Where leases come from. */
  readonly active: 'primary' | 'spare';
  /** How often it moved to the spare. */
  readonly moves: number;
  /** Failures of the primary in the window. */
  readonly failures: number;
  /** Requests that the spare has served since the primary could not, before or after the move. */
  readonly rescued: number;
  /** The primary. */
  readonly primary: ResourcePoolStats;
  /** The spare. */
  readonly spare: ResourcePoolStats;
}

const checkName = poolName('failover-pool');
const CHECKS = {
  failures: integer('failures', 5, 1, 1000),
  windowMs: integer('milliseconds', 10_000, 1, LONGEST_TIMEOUT),
  probeMs: integer('milliseconds', 500, 1, LONGEST_TIMEOUT),
  acquireTimeoutMs: integer('milliseconds', 30_000, 1, LONGEST_TIMEOUT),
};

/** What of the primary counts as its failure, and lets the spare serve. */
const FAILURES: ReadonlySet<SlabPoolErrorCode> = new Set<SlabPoolErrorCode>([
  'ERR_SLABPOOL_TIMEOUT',
  'ERR_SLABPOOL_EXHAUSTED',
  'ERR_SLABPOOL_QUEUE_FULL',
  'ERR_SLABPOOL_OPEN_FAILED',
  'ERR_SLABPOOL_CIRCUIT_OPEN',
]);
/** Why a resource of the primary is closed that was broken. */
const BROKEN: ReadonlySet<CloseCause> = new Set<CloseCause>(['destroyed', 'check']);

/**
 * A FailoverPool has a primary and a spare: resources come from the primary, unless it has failed too often lately.
 *
 * What       Failures are acquires that the primary could not serve, and resources of it that were broken. A request that it cannot
 *            serve is served by the spare, in the same call. After so many within the window all go there; then one resource of the
 *            primary is tried now and then, and when one works, all come back.
 * Callers    The program; the primary's `close`, which says what was broken; the probe's timer, which keeps no process alive.
 */
export class FailoverPool<R> {
  /** The option `name`. */
  readonly name: string;
  /** Both pools. */
  readonly pools: {
    /** The one to be used. */
    readonly primary: ResourcePool<R>;
    /** The one for when that fails. */
    readonly spare: ResourcePool<R>;
  };
  readonly #options: ResourcePoolOptions<R>;
  readonly #failures: number;
  readonly #window: FailureWindow;
  readonly #probeMs: number;
  /** The limits of an acquire that has none of its own. */
  readonly #limits: Limits;
  /** Requests that wait at the primary; they leave it when all move. */
  readonly #atPrimary = new Set<AbortController>();
  #active: 'primary' | 'spare' = 'primary';
  #moves = 0;
  #rescued = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(options: FailoverPoolOptions<R>) {
    const what = 'new FailoverPool(options)';
    const keys = ['name', 'primary', 'spare', ...(Object.keys(CHECKS) as (keyof typeof CHECKS)[])] as const;
    const given = checkOptions<FailoverPoolOptions<R>>(what, options, keys);
    this.name = checkName(given.name, 'name', undefined);
    this.#failures = CHECKS.failures(given.failures, 'failures', undefined);
    this.#window = new FailureWindow(CHECKS.windowMs(given.windowMs, 'windowMs', undefined));
    this.#probeMs = CHECKS.probeMs(given.probeMs, 'probeMs', undefined);
    const timeout = CHECKS.acquireTimeoutMs(given.acquireTimeoutMs, 'acquireTimeoutMs', undefined);
    this.#limits = { signal: undefined, timeout };
    for (const key of ['primary', 'spare'] as const) {
      if (typeof given[key] === 'object' && given[key] !== null) continue;
      throw invalidArg(`${what}, option '${key}'`, 'an object with the options of a ResourcePool', given[key]);
    }
    const {
      name = `${this.name}/primary`,
      acquireTimeoutMs = 1000,
      openTimeoutMs = 1000,
      openRetries = 0,
      ...primary
    } = { ...(given.primary as ResourcePoolOptions<R>) };
    this.#options = { ...primary, name, acquireTimeoutMs, openTimeoutMs, openRetries };
    const { name: spareName = `${this.name}/spare`, ...spare } = { ...(given.spare as ResourcePoolOptions<R>) };
    this.pools = {
      primary: new ResourcePool({ ...this.#options, ...this.#watched() }),
      spare: new ResourcePool({ ...spare, name: spareName }),
    };
  }

  /** The primary's `close`, which counts what was broken. */
  #watched(): Partial<ResourcePoolOptions<R>> {
    const { close } = this.#options;
    if (typeof close !== 'function') return {};
    return {
      close: (resource, why) => {
        if (BROKEN.has(why)) this.#failed(undefined);
        return close(resource, why);
      },
    };
  }

  /** Where leases come from now. */
  get active(): 'primary' | 'spare' {
    return this.#active;
  }

  /**
   * A lease of a resource of the primary, or of the spare. A request waits at the primary for its `acquireTimeoutMs`, or for half
   * of its own timeout if that is less; the rest of its time is the spare's.
   * @throws as `ResourcePool.acquire()` of the spare
   */
  async acquire(options?: WaitOptions): Promise<ResourceLease<R>> {
    return this.#acquire('acquire(options)', options);
  }

  /**
   * Lends a lease, as {@link acquire} gives it, to `fn`.
   * @throws as `ResourcePool.borrow()` of the spare
   */
  async borrow<T>(fn: (lease: ResourceLease<R>) => T, options?: WaitOptions): Promise<Awaited<T>> {
    const what = 'borrow(fn, options)';
    if (typeof fn !== 'function') throw invalidArg(`${what}, fn`, 'a function', fn, this.name);
    return await lendValue(await this.#acquire(what, options), fn, 'resource', this.name);
  }

  async #acquire(what: string, options: WaitOptions | undefined): Promise<ResourceLease<R>> {
    const { primary, spare } = this.pools;
    const { signal, timeout } = checkWaitOptions(what, options, this.name, this.#limits);
    throwIfAborted(signal);
    const since = now();
    if (this.#active === 'primary') {
      const lease = primary.tryAcquire() ?? (await this.#fromPrimary(signal, timeout));
      if (lease !== null) return lease;
    }
    const rest = Math.max(0, timeout - (now() - since));
    const lease = await spare.acquire(signal === undefined ? { timeout: rest } : { signal, timeout: rest });
    this.#rescued++;
    return lease;
  }

  /** A lease of the primary; null if the spare has to serve. */
  async #fromPrimary(signal: AbortSignal | undefined, timeout: number): Promise<ResourceLease<R> | null> {
    const moved = new AbortController();
    const forget = signal && onAbort(signal, () => moved.abort());
    this.#atPrimary.add(moved);
    try {
      const most = this.#options.acquireTimeoutMs as number;
      return await this.pools.primary.acquire({ signal: moved.signal, timeout: Math.min(most, timeout / 2) });
    } catch (error) {
      if (signal?.aborted) throw abortReason(signal);
      if (moved.signal.aborted) return null;
      if (!(error instanceof SlabPoolError && FAILURES.has(error.code))) throw error;
      // Who does not wait at all says nothing of the primary.
      if (timeout > 0 || error.code !== 'ERR_SLABPOOL_TIMEOUT') this.#failed(error);
      return null;
    } finally {
      this.#atPrimary.delete(moved);
      forget?.();
    }
  }

  /** The primary has failed. */
  #failed(error: unknown): void {
    if (this.#active === 'spare' || this.#closed) return;
    this.#window.add();
    if (this.#window.count < this.#failures) return;
    this.#moves++;
    this.#move('spare', error);
    // What is idle is not to be trusted; who waits is served elsewhere.
    this.pools.primary.trim();
    for (const request of [...this.#atPrimary]) request.abort();
    this.#probeLater();
  }

  #move(active: 'primary' | 'spare', error: unknown): void {
    this.#active = active;
    this.#window.clear();
    const event: ResourceMovedEvent = { pool: this.name, active, error };
    if (events.resourceMoved.hasSubscribers) events.resourceMoved.publish(event);
  }

  #probeLater(): void {
    if (this.#closed) return;
    this.#timer = outside(() => setTimeout(() => this.#probe(), this.#probeMs).unref());
  }

  /** Moves back if the primary works. */
  async #probe(): Promise<void> {
    try {
      const lease = await this.pools.primary.acquire({ timeout: this.#options.openTimeoutMs as number });
      if (await this.#works(lease.value)) {
        lease.release();
        if (!this.#closed) this.#move('primary', undefined);
        return;
      }
      lease.destroy();
    } catch {
      // It does not.
    }
    this.#probeLater();
  }

  #works(resource: R): Promise<boolean> {
    const { check, openTimeoutMs } = this.#options;
    return new Promise((resolve) => {
      if (check === undefined) resolve(true);
      else
        new LimitedCall(["option 'check'", this.name], (signal) => check(resource, signal), openTimeoutMs as number, {
          done: (result) => resolve(result !== false),
          failed: () => resolve(false),
        });
    });
  }

  /**
   * A snapshot of both pools.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  stats(): FailoverPoolStats {
    const { primary, spare } = this.pools;
    return {
      name: this.name,
      active: this.#active,
      moves: this.#moves,
      failures: this.#window.count,
      rescued: this.#rescued,
      primary: primary.stats(),
      spare: spare.stats(),
    };
  }

  /**
   * Ends both pools, as `ResourcePool.close()` does.
   * @throws as `ResourcePool.close()`
   */
  async close(options?: WaitOptions): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await closeAll([this.pools.primary, this.pools.spare], options);
  }

  /** `await using`: {@link close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
