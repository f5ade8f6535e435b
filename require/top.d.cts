import type * as slabpool from '../dist/top.js' with { 'resolution-mode': 'import' };

export type * from '../dist/top.js' with { 'resolution-mode': 'import' };
export declare const serveStats: typeof slabpool.serveStats;
