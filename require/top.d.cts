import type * as slabpool from '../dist/metrics/serve-stats.js' with { 'resolution-mode': 'import' };

export type * from '../dist/metrics/serve-stats.js' with { 'resolution-mode': 'import' };
export declare const serveStats: typeof slabpool.serveStats;
