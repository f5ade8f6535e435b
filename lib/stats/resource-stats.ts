import type { CloseCause } from '../events.js';
import type { HoldStats, LeakStats } from './lease-stats.js';

/** `'closed'`: as usual. `'open'`: nothing is opened. `'half-open'`: one is, to see. */
export type Circuit = 'closed' | 'open' | 'half-open';

/** Resources that were closed, by what they were closed for. */
export type ClosedCounts = Readonly<Record<Exclude<CloseCause, 'late'>, number>>;

/**
 * A snapshot of a pool of resources. The names of the same figures in OpenTelemetry's conventions for connection pools are in
 * docs/resources.md.
 *
 * `size == opening + checking + idle + used + closing <= maxSize`, `opened == checking + idle + used + closing +` all of `closed`,
 * and `acquires == used + uses.count`.
 */
export interface ResourcePoolStats {
  /** What it is the snapshot of. */
  readonly kind: 'resource';
  /** Name of the pool. */
  readonly name: string;
  /** Milliseconds since the pool was made. */
  readonly ageMs: number;
  /** The option `maxSize`. */
  readonly maxSize: number;
  /** The option `minIdle`. */
  readonly minIdle: number;
  /** Resources now, in whatever state. */
  readonly size: number;
  /** Resources that are being opened, or will be tried again. */
  readonly opening: number;
  /** Resources that are being checked. */
  readonly checking: number;
  /** Resources that can be leased at once, or after a check. */
  readonly idle: number;
  /** Resources that are leased. */
  readonly used: number;
  /** Resources that are being closed. */
  readonly closing: number;
  /** The most at once so far. */
  readonly peak: {
    /** Resources that were leased. */
    readonly used: number;
    /** Requests that waited. */
    readonly waiting: number;
  };
  /** Leases taken so far. */
  readonly acquires: number;
  /** Leases that have ended, in whatever way. */
  readonly uses: {
    /** Leases. */
    readonly count: number;
    /** Milliseconds that they were out, all together. */
    readonly totalMs: number;
  };
  /** Requests for which no idle resource was there. */
  readonly waits: {
    /** Requests that have waited or wait. */
    readonly total: number;
    /** Requests that wait now. */
    readonly waiting: number;
    /** Requests that gave up since their time was up. */
    readonly timedOut: number;
    /** Requests that gave up since their signal was aborted. */
    readonly aborted: number;
    /** Milliseconds that requests have waited until they were served, all together. */
    readonly totalMs: number;
  };
  /** Requests that the pool refused. */
  readonly refused: {
    /** `ERR_SLABPOOL_EXHAUSTED` */
    readonly exhausted: number;
    /** `ERR_SLABPOOL_QUEUE_FULL` */
    readonly queueFull: number;
    /** `ERR_SLABPOOL_CIRCUIT_OPEN` */
    readonly circuitOpen: number;
    /** `ERR_SLABPOOL_OPEN_FAILED` */
    readonly openFailed: number;
  };
  /** Resources that were opened, without those that came late. */
  readonly opened: number;
  /** Calls of `open`. */
  readonly opens: {
    /** Calls that failed, or took too long. */
    readonly failed: number;
    /** Resources that came when their opening had been given up, and were closed. */
    readonly late: number;
    /** Milliseconds that those calls took which did not fail, all together. */
    readonly totalMs: number;
  };
  /** Calls of `check`. */
  readonly checks: number;
  /** Resources that were closed, by what they were closed for. */
  readonly closed: ClosedCounts;
  /** Calls of `close` that failed, or took too long. */
  readonly closeFailed: number;
  /** The circuit breaker. */
  readonly circuit: {
    /** Its state; `'closed'` where there is none. */
    readonly state: Circuit;
    /** How often it was opened. */
    readonly trips: number;
  };
  /** How long tracked leases were out that have ended. */
  readonly holds: HoldStats;
  /** What the detection of leaks has found. That a lease was lost is noticed of all; `closed.leaked` counts them. */
  readonly leaks: LeakStats;
}
