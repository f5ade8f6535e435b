import type * as slabpool from '../dist/object/object.js' with { 'resolution-mode': 'import' };

export type * from '../dist/object/object.js' with { 'resolution-mode': 'import' };
export declare const clear: typeof slabpool.clear;
export declare const ObjectPool: typeof slabpool.ObjectPool;
export type ObjectPool<T extends object> = slabpool.ObjectPool<T>;
export declare const SlabPoolError: typeof slabpool.SlabPoolError;
export type SlabPoolError = slabpool.SlabPoolError;
