import type { AnyPoolStats } from './observable-pool.js';

/** A label tells the series of one pool apart in one metric, beside the pool's name. */
export type Label = 'backend' | 'callback' | 'level' | 'quantile' | 'reason' | 'source' | 'state' | 'step' | 'tier';

/** A point is a value, and the values of the metric's labels in their order. */
export type Point = readonly [value: number, ...labels: (string | number)[]];

/**
 * A metric is what can be exported of a pool; the exporters for Prometheus and OpenTelemetry make their own of it.
 * Nothing is counted for it: each is read from a snapshot.
 *
 * Names are OpenTelemetry's, below `slabpool.`, and follow its conventions for pools
 * (`db.client.connection.pending_requests`, `.timeouts`) and memory (`system.memory.usage` by state, `.limit`).
 * Prometheus' are made from them by the rules of the specification *Prometheus and OpenMetrics Compatibility*, so that
 * both ways end in the same names: {@link prometheusName}.
 */
export interface Metric {
  readonly name: string;
  /** A `level` can be added up over pools, a `mark` cannot. */
  readonly kind: 'counter' | 'level' | 'mark';
  /** The unit in UCUM; what is in braces only says what is counted. */
  readonly unit: string;
  readonly help: string;
  /** Whether the metric is about all threads that have the pool, or about the one that exports. */
  readonly of: 'pool' | 'thread';
  readonly labels: readonly Label[];
  /** `stats` are of a pool of the kind that has this metric. */
  read(stats: AnyPoolStats): readonly Point[];
}

/** A row of the tables of pools whose stats are `S`; `read` may answer with a bare number where there is no label. */
export function row<S extends AnyPoolStats>(
  name: string,
  kind: Metric['kind'],
  unit: string,
  of: Metric['of'],
  labels: readonly Label[],
  help: string,
  read: (stats: S) => number | readonly Point[],
): Metric {
  const points = (stats: AnyPoolStats): readonly Point[] => {
    const result = read(stats as S);
    return typeof result === 'number' ? [[result]] : result;
  };
  return { name, kind, unit, of, labels, help, read: points };
}

const SUFFIX: Readonly<Record<string, string>> = { By: '_bytes', s: '_seconds' };

/** The name in Prometheus: dots are underscores, the unit's word and for counters `_total` come last. */
export function prometheusName({ name, unit, kind }: Metric): string {
  return `slabpool_${name.replaceAll('.', '_')}${SUFFIX[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}
