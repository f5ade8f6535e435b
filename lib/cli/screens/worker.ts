import { formatCount, formatDuration, formatShare } from '../../base/format.js';
import type { WorkerPoolStats } from '../../stats/worker-stats.js';
import { bar } from '../bar.js';
import { rate } from '../rate.js';

/** The lines of a pool of workers, below its name. */
export function workerLines(stats: WorkerPoolStats, before: WorkerPoolStats | undefined): string[] {
  const { threads, maxThreads, running, queued, maxQueue, completed, failed, timedOut, aborted, deaths } = stats;
  const { utilization, waitMs, runMs } = stats;
  return [
    `${bar(running, maxThreads)} ${formatCount(running)} jobs on ${formatCount(threads)} of at most ${formatCount(maxThreads)} threads, busy ${formatShare(utilization)}`,
    `queued ${formatCount(queued)} of ${formatCount(maxQueue)}  wait p50 ${formatDuration(waitMs.p50)}, p99 ${formatDuration(waitMs.p99)}  ` +
      `run p50 ${formatDuration(runMs.p50)}, p99 ${formatDuration(runMs.p99)}`,
    `${rate(stats, before, (s) => s.completed)} jobs/s  completed ${formatCount(completed)}  failed ${formatCount(failed)}  ` +
      `timed out ${formatCount(timedOut)}  aborted ${formatCount(aborted)}  threads that died ${formatCount(deaths)}`,
  ];
}
