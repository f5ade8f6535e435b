import type * as slabpool from '../dist/worker/worker.js' with { 'resolution-mode': 'import' };

export type * from '../dist/worker/worker.js' with { 'resolution-mode': 'import' };
export declare const job: typeof slabpool.job;
export declare const WorkerPool: typeof slabpool.WorkerPool;
export type WorkerPool<T = unknown, R = unknown> = slabpool.WorkerPool<T, R>;
