export { type Job, type JobContext, job } from './job.js';
export type { WorkerPoolOptions } from './options.js';
export type { Durations, WorkerPoolStats } from './stats.js';
export { type RunOptions, WorkerPool } from './worker-pool.js';
