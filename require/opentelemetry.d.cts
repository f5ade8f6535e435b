import type * as slabpool from '../dist/metrics/opentelemetry.js' with { 'resolution-mode': 'import' };

export type * from '../dist/metrics/opentelemetry.js' with { 'resolution-mode': 'import' };
export declare const observePoolMetrics: typeof slabpool.observePoolMetrics;
