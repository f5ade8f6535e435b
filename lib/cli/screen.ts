import { formatBytes, formatCount, formatDuration, formatShare } from '../base/format.js';
import { diagnose } from '../diagnose/diagnose.js';
import type { PoolStats } from '../stats/stats.js';
import { printable } from './printable.js';
import type { TableWriter } from './table.js';

const BAR = 40;
const TIERS_SHOWN = 6;
const THREADS_SHOWN = 8;

/** One look at the pools of a service. `before`: the last look, for rates; without it they are those of the whole life. */
export function render(now: readonly PoolStats[], before: readonly PoolStats[], table: TableWriter): string {
  if (now.length === 0) return 'no pools';
  const seen = new Map<string, number>();
  const earlier = index(before);
  return now.map((stats) => renderPool(stats, earlier.get(keyOf(stats, seen)), table)).join('\n\n');
}

/** Names need not differ: pools of one name are told apart by their order. */
function keyOf({ name }: PoolStats, seen: Map<string, number>): string {
  const nth = (seen.get(name) ?? 0) + 1;
  seen.set(name, nth);
  return `${nth} ${name}`;
}

function index(pools: readonly PoolStats[]): Map<string, PoolStats> {
  const seen = new Map<string, number>();
  return new Map(pools.map((stats) => [keyOf(stats, seen), stats]));
}

function renderPool(stats: PoolStats, before: PoolStats | undefined, table: TableWriter): string {
  const { name, backend, ageMs, pressure } = stats;
  const diagnosis = diagnose(stats);
  const squeeze = pressure.level === 'none' ? '' : `, memory pressure ${pressure.level}`;
  const parts = [
    printable(`${name}  ${backend}, ${formatDuration(ageMs)} old${squeeze}: ${diagnosis.severity}`),
    ...memory(stats),
    ...traffic(stats, before),
    tiers(stats, before, table),
    threads(stats, before, table),
    ...diagnosis.findings
      .filter(({ severity }) => severity !== 'ok')
      .map(({ severity, text, advice }) => printable(`${severity}: ${text}. ${advice}`)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function memory(stats: PoolStats): string[] {
  const { maxBytes, residentBytes, peak } = stats;
  const filled = Math.max(0, Math.min(BAR, Math.round((BAR * residentBytes) / Math.max(1, maxBytes))));
  const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled);
  const parts = (['leased', 'inFlight', 'cached', 'quarantined', 'retired', 'pinned', 'cold'] as const)
    .map((part) => `${part === 'inFlight' ? 'in flight' : part} ${formatBytes(stats[`${part}Bytes`])}`)
    .join('  ');
  return [
    `[${bar}] ${formatBytes(residentBytes)} of ${formatBytes(maxBytes)}, peak ${formatBytes(peak.residentBytes)}`,
    parts,
  ];
}

function traffic(stats: PoolStats, before: PoolStats | undefined): string[] {
  const { hitRate, outstanding, exhausted, waits, oversize } = stats;
  return [
    `${rate(stats, before)} acquires/s  hit rate ${formatShare(hitRate)}  leases out ${formatCount(outstanding)}`,
    `refused ${formatCount(exhausted)}  waiting ${formatCount(waits.waiting)} of ${formatCount(waits.total)} so far  ` +
      `oversize ${formatCount(oversize.acquires)}, out ${formatBytes(oversize.leasedBytes)}`,
  ];
}

/** Acquires a second since the last look, by the service's own clock; since its beginning if it began after that. */
function rate(now: PoolStats, before: PoolStats | undefined, of = (stats: PoolStats) => stats.acquires): string {
  const same = before !== undefined && before.ageMs < now.ageMs && of(before) <= of(now);
  const [count, ms] = same ? [of(now) - of(before), now.ageMs - before.ageMs] : [of(now), now.ageMs];
  return formatCount(Math.round((count * 1000) / Math.max(1, ms)));
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
