/** How long something took, in milliseconds; zeros before the first. */
export interface Durations {
  /** The mean. */
  readonly mean: number;
  /** The median. */
  readonly p50: number;
  /** The 99th percentile. */
  readonly p99: number;
  /** The longest. */
  readonly max: number;
}

/**
 * A snapshot of a {@link WorkerPool}.
 *
 * `jobs == queued + running + completed + failed + timedOut + aborted`.
 */
export interface WorkerPoolStats {
  /** `'worker'` */
  readonly kind: 'worker';
  /** Name of the pool. */
  readonly name: string;
  /** Milliseconds since the pool was made. */
  readonly ageMs: number;
  /** The option `minThreads`. */
  readonly minThreads: number;
  /** The option `maxThreads`. */
  readonly maxThreads: number;
  /** The option `maxQueue`. */
  readonly maxQueue: number;
  /** Threads that there are now. */
  readonly threads: number;
  /** Jobs that `run()` has taken so far. */
  readonly jobs: number;
  /** Jobs that wait for a thread. */
  readonly queued: number;
  /** Jobs that threads have. */
  readonly running: number;
  /** Jobs that have brought a result. */
  readonly completed: number;
  /** Jobs that have thrown, died with their threads, could not be delivered, or were cut off by `close()`. */
  readonly failed: number;
  /** Jobs that gave up since no thread was free in time. */
  readonly timedOut: number;
  /** Jobs whose signal was aborted while they waited or ran. */
  readonly aborted: number;
  /** Calls of `ready()` that wait. */
  readonly producersWaiting: number;
  /** Threads that died with a job or between jobs; those that were ended on purpose do not count. */
  readonly deaths: number;
  /** Share of the time of `maxThreads` threads that jobs took, 0 to 1, since the pool was made (piscina's figure). */
  readonly utilization: number;
  /** How long jobs that threads were given had waited for them. */
  readonly waitMs: Durations;
  /** How long jobs took from then on until their results were here (piscina's figures). */
  readonly runMs: Durations;
}
