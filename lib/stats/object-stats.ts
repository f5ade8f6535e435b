import type { HoldStats, LeakStats } from './lease-stats.js';

/**
 * A snapshot of an object pool, which is one thread's.
 *
 * `created == idle + outstanding + dropped + leaks.collected`, where `dropped` is the sum of {@link drops}, and
 * `acquires == hits + misses`.
 */
export interface ObjectPoolStats {
  /** What kind of pool it is. */
  readonly kind: 'object';
  /** Name of the pool. */
  readonly name: string;
  /** Milliseconds since the pool was made. */
  readonly ageMs: number;
  /** Leases taken so far. */
  readonly acquires: number;
  /** Acquires that found an idle object. */
  readonly hits: number;
  /** Acquires for which an object was created. */
  readonly misses: number;
  /** Share of the acquires that found an idle object; 1 before the first. */
  readonly hitRate: number;
  /** Objects created so far, for acquires or by `prewarm()`. */
  readonly created: number;
  /** Objects that nobody uses. */
  readonly idle: number;
  /** Idle objects that nobody has used for an epoch, and which are dropped after another one. */
  readonly victims: number;
  /** The option `maxIdle`. */
  readonly maxIdle: number;
  /** Leases out now; those among them that were forgotten and are not tracked. */
  readonly outstanding: number;
  /** The most objects at once so far, idle or leased. */
  readonly peak: number;
  /** Objects dropped so far. */
  readonly dropped: number;
  /** Why they were dropped. */
  readonly drops: {
    /** Idle for two epochs. */
    readonly decayed: number;
    /** By `trim()`. */
    readonly trimmed: number;
    /** Released when `maxIdle` were idle. */
    readonly full: number;
    /** `keep` said so. */
    readonly vetoed: number;
    /** `reset` or `keep` threw. */
    readonly failed: number;
    /** The pool was closed. */
    readonly closed: number;
  };
  /** Calls of callbacks that threw, or returned what they must not. */
  readonly failures: {
    /** Of `create`. */
    readonly create: number;
    /** Of `reset`. */
    readonly reset: number;
    /** Of `keep`. */
    readonly keep: number;
    /** Of `destroy`. */
    readonly destroy: number;
  };
  /** How long tracked leases were out that have ended. */
  readonly holds: HoldStats;
  /** What the detection of leaks has found. The objects of leases that were collected are whoever's who still has them. */
  readonly leaks: LeakStats;
}
