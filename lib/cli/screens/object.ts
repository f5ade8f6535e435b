import { formatCount, formatShare } from '../../base/format.js';
import type { ObjectPoolStats } from '../../stats/object-stats.js';
import { bar } from '../bar.js';
import { rate } from '../rate.js';

/** The lines of an object pool, below its name. */
export function objectLines(stats: ObjectPoolStats, before: ObjectPoolStats | undefined): string[] {
  const { idle, maxIdle, victims, hitRate, outstanding, peak, created, drops, failures } = stats;
  const counts = (of: Readonly<Record<string, number>>) =>
    Object.entries(of)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${what} ${formatCount(count)}`)
      .join('  ') || 'none';
  return [
    `${bar(idle, maxIdle)} ${formatCount(idle)} of ${formatCount(maxIdle)} idle, ${formatCount(victims)} unused for an epoch`,
    `${rate(stats, before, (s) => s.acquires)} acquires/s  hit rate ${formatShare(hitRate)}  ` +
      `leases out ${formatCount(outstanding)}  most objects ${formatCount(peak)}`,
    `created ${formatCount(created)}  dropped: ${counts(drops)}  callbacks that threw: ${counts(failures)}`,
  ];
}
