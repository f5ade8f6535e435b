export type { Diagnosis, Finding, Severity } from '../diagnose/diagnosis.js';
export type { Durations, WorkerPoolStats } from '../stats/worker-stats.js';
export { type Job, type JobContext, job } from './job.js';
export type { WorkerPoolOptions } from './options.js';
export { type RunOptions, WorkerPool } from './worker-pool.js';
