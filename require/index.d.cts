import type * as slabpool from '../dist/index.js' with { 'resolution-mode': 'import' };

export type * from '../dist/index.js' with { 'resolution-mode': 'import' };
export declare const BufferPool: typeof slabpool.BufferPool;
export type BufferPool = slabpool.BufferPool;
export declare const Channel: typeof slabpool.Channel;
export type Channel = slabpool.Channel;
export declare const SlabPoolError: typeof slabpool.SlabPoolError;
export type SlabPoolError = slabpool.SlabPoolError;
export declare const diagnose: typeof slabpool.diagnose;
