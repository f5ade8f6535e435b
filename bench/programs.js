// Whole programs, with the pool and without it. The ways of one program run one after the other, each in a process of its own; slices of
// that time are the rounds.
import { compared } from './measure.js';
import { percentileCurves } from './percentiles.js';
import { watch } from './programs/watch.js';

const PROGRAMS = ['lines', 'frames', 'orders', 'pipeline'];
const MIB = 2 ** 20;
const SLICES = { full: 12, smoke: 3 };

export const title = 'whole programs, with the pool and without it, each for a minute; CPU time of the program alone';

/** @typedef {import('./programs/watch.js').Watched} Watched */

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts, series }) {
  const { smoke } = effort;
  const seconds = smoke ? 0.5 : 60;
  for (const program of PROGRAMS) {
    const { what, unit, ways } = await import(`./programs/${program}.js`);
    /** @type {Record<string, Watched>} */
    const watched = {};
    for (const way of Object.keys(ways)) {
      progress(`${program}: ${way}, ${seconds} s`);
      watched[way] = await watch(program, way, seconds, smoke ? SLICES.smoke : SLICES.full);
    }
    const found = new Set(Object.values(watched).map(({ result }) => result));
    if (found.size > 1) throw new Error(`${program}: the ways do not find the same: ${[...found].join(', ')}`);
    report(`${program}: ${what}; per ${unit}`, resultsOf(watched));
    const curves = (/** @type {'rss' | 'delays'} */ key) =>
      Object.fromEntries(Object.entries(watched).map(([way, one]) => [way, one[key]]));
    series(`${program}: RSS`, { x: 's', y: 'MiB', lines: curves('rss') });
    series(`${program}: event-loop delay`, { x: 's', y: 'ms', lines: curves('delays') });
    const latencies = Object.entries(watched).flatMap(([way, { byNines }]) => (byNines ? [[way, byNines]] : []));
    if (latencies.length > 0) series(`${program}: time to the answer`, percentileCurves(Object.fromEntries(latencies)));
    for (const [way, { latencies, whole }] of Object.entries(watched)) {
      if (latencies === undefined) continue;
      facts({ [`${program}, ${way}: ${unit}s per s`]: (whole.units * 1000) / whole.wallMs });
      for (const [percentile, us] of Object.entries(latencies)) facts({ [`${program}, ${way}: ${percentile} us`]: us });
    }
  }
}

/** @param {Record<string, Watched>} watched the first is what the others are compared with */
function resultsOf(watched) {
  const times = Object.values(watched).map(({ slices }) => slices.map(({ cpuNs, units }) => cpuNs / units));
  return Object.entries(watched).map(([way, { whole, peakRss }], i) => ({
    ...compared(way, /** @type {number[]} */ (times[i]), /** @type {number[]} */ (times[0])),
    collections: (whole.collections * 1000) / whole.wallMs,
    gcMs: (whole.gcMs * 1000) / whole.wallMs,
    mbPerCpuSecond: (whole.bytes * 1000) / whole.cpuNs,
    mbPerSecond: whole.bytes / 1000 / whole.wallMs,
    faultsPerMiB: (whole.faults * MIB) / whole.bytes,
    peakRssMiB: peakRss / MIB,
  }));
}
