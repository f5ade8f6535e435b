import { checkOptions } from '../base/check-options.js';
import { type Check, integer, oneOf, poolName, TRACKING } from '../base/option-checks.js';
import { LONGEST_TIMEOUT } from '../base/wait-options.js';
import { invalidArg } from '../errors.js';
import type { CloseCause } from '../events.js';

const MINUTE = 60_000;
/** Resources of the largest pool. */
const MAX_SIZE = 2 ** 16;

/** When to stop trying to open what cannot be opened (M. Nygard, *Release It!*, 2007). */
export interface BreakerOptions {
  /** So many failures of `open` in a row, within {@link windowMs}, open the circuit: 1 to 1000. Default: 5. */
  failures?: number;
  /** Milliseconds, 1 to 2^31 - 1. Default: 10,000. */
  windowMs?: number;
  /** Milliseconds that the circuit stays open until one resource is tried, 1 to 2^31 - 1. Default: 1000. */
  coolDownMs?: number;
}

/**
 * Options of a {@link ResourcePool}. What is misspelt, ill-typed or out of range is an `ERR_SLABPOOL_INVALID_ARG`.
 * Times are in milliseconds.
 */
export interface ResourcePoolOptions<R> {
  /** The pool's name in errors, events and stats; not empty. Default: `'resource-pool-N'`, counted in each thread. */
  name?: string;
  /**
   * Opens one resource. It belongs to no request: who comes first gets it. When it takes longer than
   * {@link openTimeoutMs}, or the pool is closed, the signal is aborted; what it still opens then is closed at once.
   */
  open: (signal: AbortSignal) => R | PromiseLike<R>;
  /**
   * Closes one resource; called once for each that was opened. `why` tells a broken one (`'destroyed'`, `'check'`) from one to say
   * goodbye to. While it runs, the resource counts: it is still there, for whoever is at its other end.
   */
  close: (resource: R, why: CloseCause) => unknown;
  /**
   * Whether a resource that was idle for {@link checkAfterIdleMs} still works. One for which it returns false, throws or
   * rejects, or takes longer than {@link openTimeoutMs}, is closed, and another one is tried. Default: none.
   */
  check?: (resource: R, signal: AbortSignal) => unknown;
  /** The most resources at once, in whatever state: 1 to 65,536. Default: 10. */
  maxSize?: number;
  /** Resources that are kept idle, opened ahead of whoever wants them: 0 to `maxSize`. Default: 0. */
  minIdle?: number;
  /** How old a resource may be; one that is in use is closed when it comes back. 1 to 2^31 - 1, or `Infinity`. Default: an hour. */
  maxLifetimeMs?: number;
  /**
   * Each resource ends at a random time within the last of its lifetime, so that those that were opened together are not
   * closed together: 0 to `maxLifetimeMs`. Default: a tenth of that; 0 if it is `Infinity`.
   */
  maxLifetimeJitterMs?: number;
  /** How long a resource may be idle, unless it is one of {@link minIdle}: 1 to 2^31 - 1, or `Infinity`. Default: half an hour. */
  maxIdleMs?: number;
  /** From how long on an idle resource is checked before it is leased: 0 (always) to 2^31 - 1, or `Infinity`. Default: 1000. */
  checkAfterIdleMs?: number;
  /** How long one call of `open`, `check` or `close` may take: 1 to 2^31 - 1. Default: 10,000. */
  openTimeoutMs?: number;
  /**
   * How often a failed `open` is tried again, 0 to 100, after a random time of up to 100 ms, 200 ms and so on, at most
   * 5 s (exponential backoff with full jitter; M. Brooker, 2015). Default: 2.
   */
  openRetries?: number;
  /**
   * What an acquire does for which there is no resource, and none to be opened: wait for one, or throw
   * `ERR_SLABPOOL_EXHAUSTED`. Default: `'wait'`.
   */
  whenExhausted?: 'wait' | 'throw';
  /** How long an acquire may wait that has no `timeout` of its own: 1 to 2^31 - 1, or `Infinity`. Default: 30,000. */
  acquireTimeoutMs?: number;
  /** How many requests may wait at once, for a release or an opening; more are refused. 1 to 2^20. Default: 65,536. */
  maxWaiting?: number;
  /**
   * Which idle resource is leased first: that which was used last (`'lifo'`), so that others get old and are closed, or
   * that which was idle longest (`'fifo'`), so that all are used alike. Default: `'lifo'`.
   */
  order?: 'lifo' | 'fifo';
  /** A circuit breaker: `{}` is one with the defaults. Default: none. */
  breaker?: BreakerOptions;
  /**
   * Of which leases it is recorded where they were acquired: none, one in {@link leakSampleRate} and some of those that take the
   * last resource, or all (some 12 µs each). That a lease was lost is noticed of all. Default: `'sampled'`.
   */
  leakDetection?: 'off' | 'sampled' | 'full';
  /** One lease in so many is tracked, 1 to 2^31; fewer in a thread that does nothing but acquire. Default: 4096. */
  leakSampleRate?: number;
}

/** {@link BreakerOptions} that were checked. */
export type ResolvedBreaker = Readonly<Required<BreakerOptions>>;

/** The options of a pool, checked, with the defaults filled in. */
export type ResolvedResourceOptions<R> = Readonly<
  Required<Omit<ResourcePoolOptions<R>, 'check' | 'breaker'>> & {
    check: ResourcePoolOptions<R>['check'] | undefined;
    breaker: ResolvedBreaker | undefined;
  }
>;

/** Options above in the list, by which others are checked. */
type Context = ResolvedResourceOptions<unknown>;

/** Every option with its unit, default and range, in the order in which they are checked. */
const OPTIONS: { readonly [Key in keyof Context]: Check<Context[Key], Context> } = {
  name: poolName('resource-pool'),
  open: required('a function (signal) => resource'),
  close: required('a function (resource, why)'),
  check: (value, key) => {
    if (value === undefined || typeof value === 'function') return value as Context['check'];
    throw invalidArg(`option '${key}'`, 'a function (resource, signal) => boolean', value);
  },
  maxSize: integer('resources', 10, 1, MAX_SIZE),
  minIdle: integer<Context>('resources', 0, 0, ({ maxSize }) => maxSize),
  maxLifetimeMs: milliseconds(60 * MINUTE, 1),
  maxLifetimeJitterMs: (value, key, { maxLifetimeMs }) => {
    if (value === undefined) return maxLifetimeMs === Infinity ? 0 : Math.round(maxLifetimeMs / 10);
    if (typeof value === 'number' && value >= 0 && value <= maxLifetimeMs && value !== Infinity) return value;
    throw invalidArg(`option '${key}'`, `a number of 0 to maxLifetimeMs, ${maxLifetimeMs} (milliseconds)`, value);
  },
  maxIdleMs: milliseconds(30 * MINUTE, 1),
  checkAfterIdleMs: milliseconds(1000, 0),
  openTimeoutMs: integer('milliseconds', 10_000, 1, LONGEST_TIMEOUT),
  openRetries: integer('retries', 2, 0, 100),
  whenExhausted: oneOf('wait', 'throw'),
  acquireTimeoutMs: milliseconds(30_000, 1),
  maxWaiting: integer('requests', 2 ** 16, 1, 2 ** 20),
  order: oneOf('lifo', 'fifo'),
  breaker: (value, key) => (value === undefined ? undefined : resolveBreaker(value, `option '${key}'`)),
  ...TRACKING,
};

const BREAKER: { readonly [Key in keyof ResolvedBreaker]: Check<number> } = {
  failures: integer('failures', 5, 1, 1000),
  windowMs: integer('milliseconds', 10_000, 1, LONGEST_TIMEOUT),
  coolDownMs: integer('milliseconds', 1000, 1, LONGEST_TIMEOUT),
};

/** Names of all options. */
export const RESOURCE_OPTIONS = Object.keys(OPTIONS) as (keyof Context)[];

/**
 * Checks the options that a caller gave, and fills in the defaults.
 * @param what the public function that was called
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function resolveResourceOptions<R>(what: string, options: ResourcePoolOptions<R>): ResolvedResourceOptions<R> {
  const checked = checkOptions<object>(what, options, RESOURCE_OPTIONS as never[]) as Record<string, unknown>;
  const context: Context = Object.create(null);
  for (const key of RESOURCE_OPTIONS) Object.assign(context, { [key]: OPTIONS[key](checked[key], key, context) });
  return context as ResolvedResourceOptions<R>;
}

function resolveBreaker(given: unknown, what: string): ResolvedBreaker {
  const keys = Object.keys(BREAKER) as (keyof ResolvedBreaker)[];
  const checked = checkOptions<BreakerOptions>(what, given as BreakerOptions, keys);
  const [failures, windowMs, coolDownMs] = keys.map((key) => BREAKER[key](checked[key], `breaker.${key}`, {}));
  return { failures, windowMs, coolDownMs } as ResolvedBreaker;
}

function required<F>(expected: string): Check<F> {
  return (value, key) => {
    if (typeof value === 'function') return value as F;
    throw invalidArg(`option '${key}'`, expected, value);
  };
}

/** A check for a time that may be without end. */
function milliseconds(byDefault: number, least: number): Check<number> {
  return (value = byDefault, key) => {
    if (typeof value === 'number' && value >= least && (value <= LONGEST_TIMEOUT || value === Infinity)) return value;
    throw invalidArg(
      `option '${key}'`,
      `a number of ${least} to ${LONGEST_TIMEOUT} (milliseconds), or Infinity`,
      value,
    );
  };
}
