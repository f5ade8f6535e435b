// node bench/run.js NAME [--smoke] [--before TEXT] [--later SECONDS]: one benchmark, in a process of its own, since what ran before decides
// what V8 makes of the code that all share. Tables of ratios, and bench/results/RUNTIME-NAME.json.
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { median } from 'simple-statistics';
import { FULL, SMOKE } from './benchmarks.js';
import { figure } from './format.js';
import { machine } from './machine.js';
import { RUNTIME, read, save } from './results.js';
import { DRAWN, SEED } from './sizes.js';
import { isLevel, spread } from './statistics.js';

/** Figures that some benchmarks have, and the heads of their columns. */
const MORE = /** @type {const} */ ([
  ['cpuNs', 'CPU ns'],
  ['collections', 'GCs/s'],
  ['gcMs', 'GC ms/s'],
  ['faults', 'faults/1,000'],
  ['faultsPerMiB', 'faults/MiB'],
  ['gigabytes', 'GB/s'],
  ['mbPerCpuSecond', 'MB/CPU s'],
  ['mbPerSecond', 'MB/s'],
  ['peakRssMiB', 'RSS MiB'],
]);

/**
 * @typedef {object} Context
 * @property {import('./benchmarks.js').Effort} effort
 * @property {(what: string) => void} progress
 * @property {(label: string, results: import('./measure.js').Result[]) => void} report
 * @property {(figures: Record<string, number>) => void} facts
 * @property {(label: string, curves: import('./results.js').Curves) => void} series
 * @property {(why: string) => void} leaveOut what cannot be measured here
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    smoke: { type: 'boolean', default: false },
    before: { type: 'string', default: '' },
    later: { type: 'string', default: '0' },
  },
});
const [name = ''] = positionals;
const { smoke, before } = values;
const started = performance.now();
const effort = smoke ? SMOKE : FULL;
/** What it took last time, in seconds. */
const expected = read(RUNTIME, name, smoke)?.took ?? 0;
const { title, run } = await import(`./${name}.js`);
console.log(`\n## ${name}: ${title}`);

/** @type {Record<string, readonly import('./measure.js').Result[] | number>} */
const results = {};
/** @type {Record<string, import('./results.js').Curves>} */
const series = {};
/** @type {string[]} */
const leftOut = [];
/** @type {Context} */
const context = {
  effort,
  progress: (what) => progress(`${name}${before}${left()}: ${what}`),
  report(label, cases) {
    results[label] = cases;
    progress('');
    console.log(`\n${label}\n${table(cases)}`);
  },
  facts(figures) {
    Object.assign(results, figures);
    progress('');
    for (const [key, value] of Object.entries(figures)) console.log(`${key}: ${figure(value)}`);
  },
  series(label, curves) {
    series[label] = curves;
  },
  leaveOut(why) {
    leftOut.push(why);
    progress('');
    console.log(`left out: ${why}`);
  },
};
await run(context);

const spreads = Object.values(results).flatMap((cases) =>
  typeof cases === 'number' ? [] : [spread(cases[0]?.rounds ?? [])],
);
const noise = spreads.length > 0 ? { noise: median(spreads) } : {};
if (spreads.length > 0)
  console.log(`\nnoise: half of the rounds of slabpool differ by ${percent(median(spreads))} of their median`);
save(name, smoke, {
  title,
  command: `npm run bench -- ${name}${RUNTIME === 'node20' ? '' : ` --runtime ${RUNTIME}`}${smoke ? ' --smoke' : ''}`,
  took: Math.round((performance.now() - started) / 1000),
  ...machine(),
  rounds: effort.rounds,
  'seconds a measurement': effort.seconds,
  'sizes drawn': DRAWN,
  seed: SEED,
  ...noise,
  ...(leftOut.length > 0 ? { leftOut } : {}),
  results,
  series,
});

/** @param {readonly import('./measure.js').Result[]} cases */
function table(cases) {
  const more = MORE.filter(([key]) => cases.some((one) => one[key] !== undefined));
  const head = ['', 'ns', 'time / first', '95 %', '', ...more.map(([, name]) => name)];
  const grid = new Table({
    head,
    colAligns: head.map((_, i) => (i === 0 || i === 4 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  for (const one of cases) {
    const { name, ns, ratio, interval } = one;
    const others = more.map(([key]) => (one[key] === undefined ? '' : figure(one[key])));
    const level = one !== cases[0] && isLevel(interval) ? 'level' : '';
    grid.push([name, figure(ns), figure(ratio), interval.map(figure).join('-'), level, ...others]);
  }
  return grid.toString();
}

/** @param {string} what */
function progress(what) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${what.slice(0, process.stdout.columns - 1)}`);
}

/** About how long it will take from now on, where the last results say so. */
function left() {
  if (expected === 0) return '';
  const seconds = Math.max(0, expected - (performance.now() - started) / 1000) + Number(values.later);
  return seconds < 90 ? `, about ${Math.ceil(seconds)} s left` : `, about ${Math.round(seconds / 60)} min left`;
}

/** @param {number} share */
function percent(share) {
  return `${(share * 100).toPrecision(2)} %`;
}
