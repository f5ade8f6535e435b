import type { Durations, WorkerPoolStats } from '../stats/worker-stats.js';
import { type Metric, type Point, row } from './metric.js';

const worker = row<WorkerPoolStats>;

const quantiles = ({ p50, p99 }: Durations): readonly Point[] => [
  [p50 / 1000, '0.5'],
  [p99 / 1000, '0.99'],
];

/** Metrics of a pool of workers: 16 series for each pool. */
export const WORKER_METRICS: readonly Metric[] = [
  worker('worker.threads', 'level', '{thread}', 'pool', [], 'Threads.', (s) => s.threads),
  worker(
    'worker.threads.min',
    'level',
    '{thread}',
    'pool',
    [],
    'The least there may be: minThreads.',
    (s) => s.minThreads,
  ),
  worker(
    'worker.threads.max',
    'level',
    '{thread}',
    'pool',
    [],
    'The most there may be: maxThreads.',
    (s) => s.maxThreads,
  ),
  worker('worker.jobs', 'level', '{job}', 'pool', ['state'], 'Jobs under way, by where they are.', (s) => [
    [s.queued, 'queued'],
    [s.running, 'running'],
  ]),
  worker('worker.queue.max', 'level', '{job}', 'pool', [], 'The most jobs that may wait: maxQueue.', (s) => s.maxQueue),
  worker('worker.ended', 'counter', '{job}', 'pool', ['reason'], 'Jobs that have ended, by how.', (s) => [
    [s.completed, 'completed'],
    [s.failed, 'failed'],
    [s.timedOut, 'timed_out'],
    [s.aborted, 'aborted'],
  ]),
  worker('worker.deaths', 'counter', '{thread}', 'pool', [], 'Threads that died.', (s) => s.deaths),
  worker(
    'worker.utilization',
    'mark',
    '1',
    'pool',
    [],
    'Share of the time of all threads that jobs took, since the beginning.',
    (s) => s.utilization,
  ),
  worker('worker.wait', 'mark', 's', 'pool', ['quantile'], 'How long jobs waited for a thread.', (s) =>
    quantiles(s.waitMs),
  ),
  worker('worker.run', 'mark', 's', 'pool', ['quantile'], 'How long jobs took from then on.', (s) =>
    quantiles(s.runMs),
  ),
];
