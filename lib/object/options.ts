import { checkOptions } from '../base/check-options.js';
import { type Check, integer, oneOf, poolName, TRACKING } from '../base/option-checks.js';
import { invalidArg } from '../errors.js';

/** Options of an {@link ObjectPool}. What is misspelt, ill-typed or out of range is an `ERR_SLABPOOL_INVALID_ARG`. */
export interface ObjectPoolOptions<T extends object> {
  /** The pool's name in errors, events and stats; not empty. Default: `'object-pool-N'`, counted in each thread. */
  name?: string;
  /** Makes an object, when none is idle. Not a promise: what is opened asynchronously is for a resource pool. */
  create: () => T;
  /**
   * Brings an object into the state in which it is leased. It is done when it returns. An object whose reset throws is destroyed, and
   * whoever acquires or releases it gets the error. Not called for an object that was just created. Default: none.
   */
  reset?: (value: T) => void;
  /**
   * When an object is reset: before it is used again, so that no way out of a program can forget it, or when it is released, for objects
   * that would keep others alive meanwhile. Default: `'acquire'`.
   */
  resetOn?: 'acquire' | 'release';
  /** Called once with each object that the pool drops. What it throws, or a promise of it rejects with, is reported. Default: none. */
  destroy?: (value: T) => void;
  /**
   * Whether to keep an object that is being released, which `reset` has not seen yet: false drops one that has grown too
   * large, or is broken. Default: each is kept.
   */
  keep?: (value: T) => boolean;
  /** The most idle objects, 0 to 2^24; one that is released beyond these is dropped. Default: 1024. */
  maxIdle?: number;
  /**
   * Milliseconds, 0 to 2^31 - 1. An object that lay idle for two epochs is dropped; 0: only {@link ObjectPool.trim} does
   * that. Default: 5000.
   */
  epochMs?: number;
  /**
   * Of which leases it is recorded where they were acquired, for reports of leaks (`slabpool:leak` on
   * `node:diagnostics_channel`), {@link ObjectPool.trackedLeases} and errors: none, one in {@link leakSampleRate}, or
   * all. Default: `'sampled'`.
   */
  leakDetection?: 'off' | 'sampled' | 'full';
  /** One lease in so many is tracked, 1 to 2^31; fewer in a thread that does nothing but acquire. Default: 4096. */
  leakSampleRate?: number;
}

/** The options of a pool, checked, with the defaults filled in. */
export interface ResolvedObjectOptions<T extends object> {
  readonly name: string;
  readonly create: () => unknown;
  readonly reset: ((value: T) => unknown) | null;
  readonly resetOn: 'acquire' | 'release';
  readonly destroy: ((value: T) => unknown) | null;
  readonly keep: ((value: T) => unknown) | null;
  readonly maxIdle: number;
  readonly epochMs: number;
  readonly leakDetection: 'off' | 'sampled' | 'full';
  readonly leakSampleRate: number;
}

type Callback = (value: object) => unknown;

/** Every option with its unit, default and range, in the order in which they are checked. */
const OPTIONS: { readonly [Key in keyof ResolvedObjectOptions<object>]: Check<ResolvedObjectOptions<object>[Key]> } = {
  name: poolName('object-pool'),
  create: (value, key) => {
    if (typeof value !== 'function') throw invalidArg(`option '${key}'`, 'a function that returns an object', value);
    return value as () => unknown;
  },
  reset: callback,
  resetOn: oneOf('acquire', 'release'),
  destroy: callback,
  keep: callback,
  maxIdle: integer('objects', 1024, 0, 2 ** 24),
  epochMs: integer('milliseconds', 5000, 0, 2 ** 31 - 1),
  ...TRACKING,
};

function callback(value: unknown, key: string): Callback | null {
  if (value === undefined) return null;
  if (typeof value !== 'function') throw invalidArg(`option '${key}'`, 'a function of an object', value);
  return value as Callback;
}

/**
 * Checks the options that a caller gave, and fills in the defaults.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function resolveObjectOptions<T extends object>(options: ObjectPoolOptions<T>): ResolvedObjectOptions<T> {
  const what = 'new ObjectPool(options)';
  const keys = Object.keys(OPTIONS) as (keyof ResolvedObjectOptions<T>)[];
  const given = checkOptions(what, options, keys);
  return Object.fromEntries(keys.map((key) => [key, OPTIONS[key](given[key], key, undefined)])) as never;
}
