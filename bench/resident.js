import { readFileSync } from 'node:fs';

/** RSS as the kernel counts it exactly: the figure of /proc/PID/statm lags behind by some pages a thread. @param {number | 'self'} pid */
export function residentBytes(pid = 'self') {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss:\s+(\d+) kB$/m.exec(rollup)?.[1]) * 1024;
}

const MIB = 2 ** 20;

/**
 * RSS of another process over time, from outside, since its own event loop may be busy.
 * @param {number} pid @param {number} everyMs @param {number} [above] bytes that do not count
 * @returns {() => [x: number, y: number][]} ends it: seconds, MiB
 */
export function watchResident(pid, everyMs, above = 0) {
  const started = performance.now();
  /** @type {[x: number, y: number][]} */
  const points = [];
  const timer = setInterval(() => {
    try {
      const mib = (residentBytes(pid) - above) / MIB;
      points.push([rounded((performance.now() - started) / 1000), rounded(mib)]);
    } catch {
      // It is gone, as whoever waits for its answer is told.
    }
  }, everyMs);
  return () => {
    clearInterval(timer);
    return points;
  };
}

const rounded = (/** @type {number} */ value) => Number(value.toFixed(2));
