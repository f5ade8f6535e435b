import { readFileSync } from 'node:fs';

/** RSS as the kernel counts it exactly: the figure of /proc/PID/statm lags behind by some pages a thread. @param {number | 'self'} pid */
export function residentBytes(pid = 'self') {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}
