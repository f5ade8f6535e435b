import {
  type Attributes,
  type BatchObservableResult,
  metrics as globalMetrics,
  type Meter,
  type Observable,
  ValueType,
} from '@opentelemetry/api';
import { checkOptions } from '../base/check-options.js';
import { invalidArg } from '../errors.js';
import { ALL_METRICS } from './catalogue.js';
import { Collection, type MetricsOptions, type Sample, type Samples } from './collection.js';
import type { Metric } from './metric.js';
import type { ObservablePool } from './observable-pool.js';

export type { AnyPoolStats, ObservablePool } from './observable-pool.js';

/** Options of {@link observePoolMetrics}. */
export interface OpenTelemetryOptions extends MetricsOptions {
  /**
   * The meter whose instruments the metrics are. Default: `metrics.getMeter('slabpool')` of the global MeterProvider,
   * which has to be set before.
   */
  meter?: Meter;
}

const WHAT = 'observePoolMetrics(pool, options)';

const observers = new WeakMap<Meter, Observer>();

/**
 * Exports what `pool.stats()` says to OpenTelemetry, by observable instruments, of a pool of any kind: one snapshot of each pool for each collection,
 * nothing in between. The attribute `slabpool.pool.name` tells pools apart. docs/metrics.md lists the metrics.
 *
 * A pool that several threads have is exported by one of them, since its figures are those of all. When a pool is closed, or no
 * longer exported, its levels are reported as 0 once: the SDK would go on with the last ones. The meter does not keep a pool alive.
 *
 * ```ts
 * import { metrics } from '@opentelemetry/api';
 * import { observePoolMetrics } from 'slabpool/opentelemetry';
 *
 * metrics.setGlobalMeterProvider(provider);
 * observePoolMetrics(pool);
 * ```
 * @returns what ends it
 * @throws `ERR_SLABPOOL_INVALID_ARG`, also when an open pool of the same name goes to the meter already; `ERR_SLABPOOL_CLOSED`
 */
export function observePoolMetrics(pool: ObservablePool, options?: OpenTelemetryOptions): () => void {
  const { meter = globalMetrics.getMeter('slabpool'), perTier } = checkOptions(WHAT, options, ['meter', 'perTier']);
  if (typeof meter?.addBatchObservableCallback !== 'function') {
    throw invalidArg(`${WHAT}, option 'meter'`, 'a Meter of @opentelemetry/api', meter);
  }
  const observer = observers.get(meter) ?? new Observer(meter);
  observers.set(meter, observer);
  return observer.pools.add(pool, observer.pools.check(pool, WHAT, perTier));
}

/** An observer has the instruments of one meter, for good: the API cannot take an instrument away. */
class Observer {
  readonly pools = new Collection();
  readonly #instruments: ReadonlyMap<Metric, Observable>;
  #last: Samples = new Map();

  constructor(meter: Meter) {
    this.#instruments = new Map(ALL_METRICS.map((metric) => [metric, instrument(meter, metric)]));
    meter.addBatchObservableCallback((result) => this.#observe(result), [...this.#instruments.values()]);
  }

  #observe(result: BatchObservableResult): void {
    const samples = this.pools.read();
    for (const [metric, observable] of this.#instruments) {
      if (metric.kind !== 'counter') {
        for (const sample of this.#last.get(metric) ?? []) {
          if (!this.pools.has(sample.pool)) result.observe(observable, 0, attributesOf(metric, sample));
        }
      }
      for (const sample of samples.get(metric) ?? []) {
        result.observe(observable, sample.value, attributesOf(metric, sample));
      }
    }
    this.#last = samples;
  }
}

function instrument(meter: Meter, { name, kind, unit, help }: Metric): Observable {
  const options = { description: help, unit, valueType: unit === 's' ? ValueType.DOUBLE : ValueType.INT };
  switch (kind) {
    case 'counter':
      return meter.createObservableCounter(`slabpool.${name}`, options);
    case 'level':
      return meter.createObservableUpDownCounter(`slabpool.${name}`, options);
    case 'mark':
      return meter.createObservableGauge(`slabpool.${name}`, options);
  }
}

function attributesOf({ labels: names }: Metric, { pool, labels }: Sample): Attributes {
  return {
    'slabpool.pool.name': pool,
    ...Object.fromEntries(names.map((name, i) => [`slabpool.${name}`, labels[i] as string | number])),
  };
}
