import type * as slabpool from '../dist/metrics/prometheus.js' with { 'resolution-mode': 'import' };

export type * from '../dist/metrics/prometheus.js' with { 'resolution-mode': 'import' };
export declare const collectPoolMetrics: typeof slabpool.collectPoolMetrics;
