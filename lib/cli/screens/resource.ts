import { formatCount, formatDuration } from '../../base/format.js';
import type { ResourcePoolStats } from '../../stats/resource-stats.js';
import { bar } from '../bar.js';
import { rate } from '../rate.js';

/** The lines of a pool of resources, below its name. */
export function resourceLines(stats: ResourcePoolStats, before: ResourcePoolStats | undefined): string[] {
  const { used, maxSize, opening, checking, idle, closing, uses, waits, refused, opened, opens, circuit } = stats;
  const { total, waiting, timedOut, aborted } = waits;
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const mean = uses.count === 0 ? '' : `, ${formatDuration(uses.totalMs / uses.count)} each`;
  return [
    `${bar(used, maxSize)} ${formatCount(used)} of ${formatCount(maxSize)} used, most ${formatCount(stats.peak.used)}`,
    `idle ${formatCount(idle)}  opening ${formatCount(opening)}  checking ${formatCount(checking)}  closing ${formatCount(closing)}  circuit ${circuit.state}`,
    `${rate(stats, before, (s) => s.acquires)} acquires/s${mean}  waiting ${formatCount(waiting)} of ${formatCount(total)} so far  ` +
      `timed out ${formatCount(timedOut)}  aborted ${formatCount(aborted)}  refused ${formatCount(refusals)}`,
    `opened ${formatCount(opened)}, ${formatCount(opens.failed)} failed  closed ${formatCount(Object.values(stats.closed).reduce((sum, count) => sum + count, 0))}`,
  ];
}
