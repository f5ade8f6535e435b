// Latencies in HDR histograms (G. Tene's HdrHistogram, which `createHistogram()` of perf_hooks is), and the curves that they make.

/** What such curves are over. */
export const PERCENTILE = 'percentile';

const SHARES = [1, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99];

/**
 * Microseconds by nines: 1 is 90 %, 2 is 99 %; as far as there is more than one value beyond.
 * @param {import('node:perf_hooks').Histogram} histogram of nanoseconds
 * @returns {[nines: number, us: number][]}
 */
export function byNines(histogram) {
  const known = SHARES.filter((share) => (1 - share / 100) * histogram.count > 1);
  return known.map((share) => [-Math.log10(1 - share / 100), histogram.percentile(share) / 1000]);
}

/** Curves of {@link byNines}. @param {Record<string, readonly [x: number, y: number][]>} lines @returns {import('./results.js').Curves} */
export const percentileCurves = (lines) => ({ x: PERCENTILE, y: 'us', lines });
