import { BUFFER_METRICS, TIER_METRICS } from './buffer-metrics.js';
import type { Metric } from './metric.js';
import type { AnyPoolStats } from './observable-pool.js';

const METRICS: Readonly<Record<AnyPoolStats['kind'], readonly Metric[]>> = {
  buffer: BUFFER_METRICS,
};

/** Everything that can be exported, of pools of all kinds. */
export const ALL_METRICS: readonly Metric[] = [...Object.values(METRICS).flat(), ...TIER_METRICS];

export function metricsOf({ kind }: AnyPoolStats, perTier = false): readonly Metric[] {
  return kind === 'buffer' && perTier ? [...METRICS[kind], ...TIER_METRICS] : METRICS[kind];
}
