import { isObservable } from '../base/observable.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { metricsOf } from './catalogue.js';
import type { Metric } from './metric.js';
import { type AnyPoolStats, type ObservablePool, POOL } from './observable-pool.js';

/** A sample is one value of one series. */
export interface Sample {
  /** Name of the pool. */
  readonly pool: string;
  readonly value: number;
  /** Values of the metric's labels, in their order. */
  readonly labels: readonly (string | number)[];
}

export type Samples = ReadonlyMap<Metric, readonly Sample[]>;

interface Member {
  readonly pool: WeakRef<ObservablePool>;
  readonly metrics: readonly Metric[];
  /** The highest value of each counter so far, by series. */
  readonly counted: Map<string, number>;
}

/** Options of every exporter. */
export interface MetricsOptions {
  /** Whether to export each tier of a buffer pool as well, 18 series for each of up to 128. Default: false. */
  perTier?: boolean;
}

/**
 * A collection has the pools that are exported to one place, one of each name. It keeps none of them alive; those that
 * were closed or collected drop out by themselves.
 */
export class Collection {
  readonly #members = new Map<string, Member>();

  get size(): number {
    return this.#members.size;
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /**
   * The metrics of `pool`, if it can be added.
   * @param what the public function that was called
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`
   */
  check(pool: ObservablePool, what: string, perTier: boolean | undefined): readonly Metric[] {
    if (!isObservable(pool)) throw invalidArg(`${what}, pool`, POOL, pool);
    if (!['boolean', 'undefined'].includes(typeof perTier)) {
      throw invalidArg(`${what}, option 'perTier'`, 'true or false', perTier);
    }
    const stats = pool.stats();
    this.#dropEnded();
    if (!this.has(pool.name)) return metricsOf(stats, perTier);
    throw new SlabPoolError(
      'ERR_SLABPOOL_INVALID_ARG',
      `${what}: a pool of this name is exported to the same place already. Call what the first call returned, close that pool, or ` +
        'give each pool a name of its own',
      { pool: pool.name },
    );
  }

  /** @returns what takes it out again; calling that twice does nothing */
  add(pool: ObservablePool, metrics: readonly Metric[]): () => void {
    const { name } = pool;
    const member: Member = { pool: new WeakRef(pool), metrics, counted: new Map() };
    this.#members.set(name, member);
    return () => {
      if (this.#members.get(name) === member) this.#members.delete(name);
      this.#dropEnded();
    };
  }

  #dropEnded(): void {
    for (const [name, { pool }] of this.#members) if (statsOf(pool) === null) this.#members.delete(name);
  }

  /** All values of all pools, with one look at each pool. */
  read(): Samples {
    const samples = new Map<Metric, Sample[]>();
    for (const [pool, member] of this.#members) {
      const stats = statsOf(member.pool);
      if (stats === null) {
        this.#members.delete(pool);
        continue;
      }
      for (const metric of member.metrics) {
        const found = samples.get(metric) ?? [];
        samples.set(metric, found);
        for (const [now, ...labels] of metric.read(stats)) {
          const value = metric.kind === 'counter' ? highest(member.counted, `${metric.name} ${labels}`, now) : now;
          found.push({ pool, value, labels });
        }
      }
    }
    return samples;
  }
}

/**
 * A snapshot meets other threads between two of their counters, so that a difference of counters, such as the hits of magazines,
 * may step back for a moment. What reads counters would take that for a restart from zero, and count everything again. Real
 * restarts there are none: the core's counters outlive the threads that count.
 */
function highest(counted: Map<string, number>, series: string, now: number): number {
  const value = Math.max(now, counted.get(series) ?? 0);
  counted.set(series, value);
  return value;
}

/** The stats of a pool; null when it was closed, or dropped and collected. */
function statsOf(pool: WeakRef<ObservablePool>): AnyPoolStats | null {
  try {
    return pool.deref()?.stats() ?? null;
  } catch (error) {
    if (error instanceof SlabPoolError && error.code === 'ERR_SLABPOOL_CLOSED') return null;
    throw error;
  }
}
