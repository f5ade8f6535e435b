import { formatBytes, formatCount, formatShare } from '../../base/format.js';
import type { PoolStats } from '../../stats/stats.js';
import { bar } from '../bar.js';
import { rate } from '../rate.js';
import type { TableWriter } from '../table.js';

const TIERS_SHOWN = 6;
const THREADS_SHOWN = 8;

/** The lines of a buffer pool, below its name. */
export function bufferLines(stats: PoolStats, before: PoolStats | undefined, table: TableWriter): string[] {
  return [...memory(stats), ...traffic(stats, before), tiers(stats, before, table), threads(stats, before, table)];
}

function memory(stats: PoolStats): string[] {
  const { maxBytes, residentBytes, peak } = stats;
  const parts = (['leased', 'inFlight', 'cached', 'quarantined', 'retired', 'pinned', 'cold'] as const)
    .map((part) => `${part === 'inFlight' ? 'in flight' : part} ${formatBytes(stats[`${part}Bytes`])}`)
    .join('  ');
  return [
    `${bar(residentBytes, maxBytes)} ${formatBytes(residentBytes)} of ${formatBytes(maxBytes)}, peak ${formatBytes(peak.residentBytes)}`,
    parts,
  ];
}

function traffic(stats: PoolStats, before: PoolStats | undefined): string[] {
  const { hitRate, outstanding, exhausted, waits, oversize } = stats;
  return [
    `${rate(stats, before, (s) => s.acquires)} acquires/s  hit rate ${formatShare(hitRate)}  leases out ${formatCount(outstanding)}`,
    `refused ${formatCount(exhausted)}  waiting ${formatCount(waits.waiting)} of ${formatCount(waits.total)} so far  ` +
      `oversize ${formatCount(oversize.acquires)}, out ${formatBytes(oversize.leasedBytes)}`,
  ];
}

function tiers(stats: PoolStats, before: PoolStats | undefined, table: TableWriter): string {
  const shown = stats.classes
    .map((tier, c) => ({ ...tier, c }))
    .filter(({ residentBytes, acquires }) => residentBytes > 0 || acquires > 0)
    .sort((a, b) => b.residentBytes - a.residentBytes || b.acquires - a.acquires);
  if (shown.length === 0) return '';
  const rows = shown
    .slice(0, TIERS_SHOWN)
    .map(({ capacity, residentBytes, leasedBytes, cachedBytes, c }) => [
      formatBytes(capacity),
      formatBytes(residentBytes),
      formatBytes(leasedBytes),
      formatBytes(cachedBytes),
      rate(stats, before, ({ classes }) => classes[c]?.acquires ?? 0),
    ]);
  const more = shown.length - rows.length;
  return table([[more > 0 ? `tier (${more} more)` : 'tier', 'resident', 'leased', 'cached', 'acquires/s'], ...rows]);
}

function threads(stats: PoolStats, before: PoolStats | undefined, table: TableWriter): string {
  if (stats.threads.length < 2) return '';
  const rows = [...stats.threads]
    .sort((a, b) => b.acquires - a.acquires)
    .slice(0, THREADS_SHOWN)
    .map(({ thread, here, outstanding, leasedBytes, magazineBytes }) => [
      here ? `${thread} (asked)` : String(thread),
      formatCount(outstanding),
      formatBytes(leasedBytes),
      formatBytes(magazineBytes),
      rate(stats, before, (s) => s.threads.find((other) => other.thread === thread)?.acquires ?? 0),
    ]);
  const more = stats.threads.length - rows.length;
  return table([
    [more > 0 ? `thread (${more} more)` : 'thread', 'leases out', 'leased', 'in magazines', 'acquires/s'],
    ...rows,
  ]);
}
