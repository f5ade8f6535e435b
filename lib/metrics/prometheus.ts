import { Counter, Gauge, register as globalRegister, type Registry } from 'prom-client';
import { checkOptions } from '../base/check-options.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { Collection, type MetricsOptions, type Sample, type Samples } from './collection.js';
import { type Metric, prometheusName } from './metric.js';
import type { ObservablePool } from './observable-pool.js';

export type { AnyPoolStats, ObservablePool } from './observable-pool.js';

/** Options of {@link collectPoolMetrics}. */
export interface PrometheusOptions extends MetricsOptions {
  /** Where the metrics are registered. Default: prom-client's global registry. */
  register?: Registry;
  /** What is put before each name, as in prom-client's `collectDefaultMetrics`. Default: none. */
  prefix?: string;
}

const WHAT = 'collectPoolMetrics(pool, options)';

const exporters = new WeakMap<Registry, Map<string, Exporter>>();

/**
 * Exports what `pool.stats()` says to Prometheus, by prom-client, of a pool of any kind: one snapshot of each pool for each scrape, nothing in between.
 * Several pools may go to one registry; the label `pool` is their name. docs/metrics.md lists the metrics.
 *
 * A pool that several threads have is exported by one of them, since its figures are those of all. A pool that is closed is gone
 * from the next scrape on. The registry does not keep a pool alive.
 *
 * ```ts
 * import { register } from 'prom-client';
 * import { collectPoolMetrics } from 'slabpool/prometheus';
 *
 * collectPoolMetrics(pool);
 * createServer(async (_, response) => response.end(await register.metrics())).listen(9464);
 * ```
 * @returns what ends it
 * @throws `ERR_SLABPOOL_INVALID_ARG`, also when an open pool of the same name goes to the registry already, or another metric
 * there has the name of one of these; `ERR_SLABPOOL_CLOSED`
 */
export function collectPoolMetrics(pool: ObservablePool, options?: PrometheusOptions): () => void {
  const {
    register = globalRegister,
    prefix = '',
    perTier,
  } = checkOptions(WHAT, options, ['register', 'prefix', 'perTier']);
  if (typeof register?.registerMetric !== 'function') {
    throw invalidArg(`${WHAT}, option 'register'`, 'a Registry of prom-client', register);
  }
  if (typeof prefix !== 'string' || !/^([a-z_:][\w:]*)?$/i.test(prefix)) {
    throw invalidArg(`${WHAT}, option 'prefix'`, 'letters, digits, _ and :, the first of them no digit', prefix);
  }
  const byPrefix = exporters.get(register) ?? new Map<string, Exporter>();
  exporters.set(register, byPrefix);
  const exporter = byPrefix.get(prefix) ?? new Exporter(register, prefix);
  byPrefix.set(prefix, exporter);
  return exporter.add(pool, perTier);
}

/** An exporter has the metrics of one prefix in one registry. */
class Exporter {
  readonly #register: Registry;
  readonly #prefix: string;
  readonly #pools = new Collection();
  /** The metrics that are registered, by name. */
  readonly #made = new Map<string, Counter | Gauge>();
  /** The samples that the scrape under way exports. */
  #scrape: Samples | null = null;

  constructor(register: Registry, prefix: string) {
    this.#register = register;
    this.#prefix = prefix;
  }

  add(pool: ObservablePool, perTier: boolean | undefined): () => void {
    const metrics = this.#pools.check(pool, WHAT, perTier);
    this.#registerAll(metrics, pool.name);
    const remove = this.#pools.add(pool, metrics);
    return () => {
      remove();
      if (this.#pools.size === 0) this.#unregisterAll();
    };
  }

  /** Also again: somebody may have cleared the registry. */
  #registerAll(metrics: readonly Metric[], pool: string): void {
    const missing = metrics
      .map((metric) => ({ metric, name: this.#prefix + prometheusName(metric) }))
      .filter(({ name }) => !this.#owns(name));
    const taken = missing.find(({ name }) => this.#register.getSingleMetric(name) !== undefined);
    if (taken !== undefined) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_INVALID_ARG',
        `${WHAT}: the registry has another metric of the name ${taken.name}. Give a prefix, or another registry`,
        { pool },
      );
    }
    for (const { metric, name } of missing) this.#made.set(name, this.#make(metric, name));
  }

  #unregisterAll(): void {
    for (const name of this.#made.keys()) if (this.#owns(name)) this.#register.removeSingleMetric(name);
    this.#made.clear();
  }

  #owns(name: string): boolean {
    const made = this.#made.get(name);
    return made !== undefined && this.#register.getSingleMetric(name) === made;
  }

  #make(metric: Metric, name: string): Counter | Gauge {
    const config = { name, help: metric.help, labelNames: ['pool', ...metric.labels], registers: [this.#register] };
    const samples = () => this.#samples().get(metric) ?? [];
    if (metric.kind !== 'counter') {
      const gauge: Gauge = new Gauge({
        ...config,
        collect: () => {
          gauge.reset();
          for (const sample of samples()) gauge.set(labelsOf(metric, sample), sample.value);
        },
      });
      return gauge;
    }
    const counter: Counter = new Counter({
      ...config,
      // prom-client's way to set a counter. No scrape comes between the two.
      collect: () => {
        counter.reset();
        for (const sample of samples()) counter.inc(labelsOf(metric, sample), sample.value);
      },
    });
    return counter;
  }

  /** A scrape asks all metrics in one go, so the first one's snapshot is good for all that are asked before the next microtask. */
  #samples(): Samples {
    if (this.#scrape !== null) return this.#scrape;
    const samples = this.#pools.read();
    this.#scrape = samples;
    Promise.resolve().then(() => {
      this.#scrape = null;
    });
    if (this.#pools.size === 0) this.#unregisterAll();
    return samples;
  }
}

function labelsOf({ labels: names }: Metric, { pool, labels }: Sample): Record<string, string | number> {
  return { pool, ...Object.fromEntries(names.map((name, i) => [name, labels[i] as string | number])) };
}
