import { BUFFER_METRICS, TIER_METRICS } from './buffer-metrics.js';
import type { Metric } from './metric.js';
import { OBJECT_METRICS } from './object-metrics.js';
import type { AnyPoolStats } from './observable-pool.js';
import { RESOURCE_METRICS } from './resource-metrics.js';
import { WORKER_METRICS } from './worker-metrics.js';

const METRICS: Readonly<Record<AnyPoolStats['kind'], readonly Metric[]>> = {
  buffer: BUFFER_METRICS,
  object: OBJECT_METRICS,
  resource: RESOURCE_METRICS,
  worker: WORKER_METRICS,
};

/** Everything that can be exported, of pools of all kinds. */
export const ALL_METRICS: readonly Metric[] = [
  ...BUFFER_METRICS,
  ...TIER_METRICS,
  ...OBJECT_METRICS,
  ...RESOURCE_METRICS,
  ...WORKER_METRICS,
];

export function metricsOf({ kind }: AnyPoolStats, perTier = false): readonly Metric[] {
  return kind === 'buffer' && perTier ? [...METRICS[kind], ...TIER_METRICS] : METRICS[kind];
}
