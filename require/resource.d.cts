import type * as slabpool from '../dist/resource/resource.js' with { 'resolution-mode': 'import' };

export type * from '../dist/resource/resource.js' with { 'resolution-mode': 'import' };
export declare const FailoverPool: typeof slabpool.FailoverPool;
export type FailoverPool<R> = slabpool.FailoverPool<R>;
export declare const ResourcePool: typeof slabpool.ResourcePool;
export type ResourcePool<R> = slabpool.ResourcePool<R>;
export declare const ShardedPool: typeof slabpool.ShardedPool;
export type ShardedPool<R> = slabpool.ShardedPool<R>;
export declare const SlabPoolError: typeof slabpool.SlabPoolError;
export type SlabPoolError = slabpool.SlabPoolError;
