// npm run bench [-- NAME ...] [--quick]: every benchmark, or those named; `targets` names those of speed against other pools. Tables of ratios, and bench/results/*.json.
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { median } from 'simple-statistics';
import { figure } from './format.js';
import { machine } from './machine.js';
import { read, save } from './results.js';
import { DRAWN, SEED } from './sizes.js';
import { isLevel, spread } from './statistics.js';
import { verdicts } from './targets.js';

const ONE_THREAD = [
  'steady',
  'burst',
  'live-set',
  'read-file',
  'steady-state',
  'detection',
  'core',
  'writes',
  'jagged',
  'decay',
  'memory',
  'cold',
  'objects',
  'resources',
];
const THREADS = [
  'handover',
  'latency',
  'xmalloc',
  'larson',
  'msgpass',
  'scaling',
  'budget',
  'waiting',
  'churn',
  'workers',
];
const PROCESSES = ['io', 'memory-limit', 'hostile', 'install'];
const NAMES = [...ONE_THREAD, ...THREADS, ...PROCESSES];
/** What `targets` stands for: where slabpool is compared with the pure JavaScript pools, with cold memory and with the best allocators. */
const TARGETS = ['steady', 'burst', 'live-set', 'cold', 'xmalloc', 'larson', 'latency', 'core'];

/** Figures that some benchmarks have, and the heads of their columns. */
const MORE = /** @type {const} */ ([
  ['gcMs', 'GC ms/s'],
  ['cpuNs', 'CPU ns'],
  ['gigabytes', 'GB/s'],
  ['mbPerCpuSecond', 'MB/CPU s'],
  ['mbPerSecond', 'MB/s'],
  ['faultsPerMiB', 'faults/MiB'],
  ['peakRssMiB', 'RSS MiB'],
]);

/**
 * @typedef {object} Context
 * @property {{ rounds: number, seconds: number }} effort
 * @property {(what: string) => void} progress
 * @property {(label: string, results: import('./measure.js').Result[]) => void} report
 * @property {(figures: Record<string, number>) => void} facts
 * @property {(label: string, curves: import('./results.js').Curves) => void} series
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const named = positionals.flatMap((name) => (name === 'targets' ? TARGETS : [name]));
const unknown = named.find((name) => !NAMES.includes(name));
if (unknown !== undefined) {
  console.error(`npm run bench: expected names of ${NAMES.join(', ')}, or targets, got '${unknown}'`);
  process.exit(2);
}
const effort = values.quick ? { rounds: 3, seconds: 0.05 } : { rounds: 7, seconds: 0.2 };
const platform = {
  ...machine(),
  rounds: effort.rounds,
  'seconds a measurement': effort.seconds,
  'sizes drawn': DRAWN,
  seed: SEED,
};
console.log(
  Object.entries(platform)
    .map(([key, value]) => `${key}: ${value}`)
    .join(' | '),
);

/** @type {import('./targets.js').Measured} */
const measured = { ratios: {}, facts: {} };
const chosen = named.length > 0 ? named : NAMES;
/** What each took last time, in seconds. */
const expected = chosen.map((name) => read(name, values.quick)?.took ?? 0);
for (const [at, name] of chosen.entries()) {
  const started = performance.now();
  const { title, run } = await import(`./${name}.js`);
  console.log(`\n## ${name}: ${title}`);
  /** @type {Record<string, readonly import('./measure.js').Result[] | number>} */
  const results = {};
  /** @type {Record<string, import('./results.js').Curves>} */
  const series = {};
  /** @type {Context} */
  const context = {
    effort,
    progress: (what) => progress(`${name}, ${at + 1} of ${chosen.length}${left(at, started)}: ${what}`),
    report(label, cases) {
      results[label] = cases;
      for (const { name: contender, ratio } of cases) measured.ratios[`${name}/${label}/${contender}`] = ratio;
      progress('');
      console.log(`\n${label}\n${table(cases)}`);
    },
    facts(figures) {
      Object.assign(results, figures);
      for (const [key, figure] of Object.entries(figures)) measured.facts[`${name}/${key}`] = figure;
      progress('');
      for (const [key, figure] of Object.entries(figures)) console.log(`${key}: ${figure}`);
    },
    series(label, curves) {
      series[label] = curves;
    },
  };
  await run(context);
  const spreads = Object.values(results).flatMap((cases) =>
    typeof cases === 'number' ? [] : [spread(cases[0]?.rounds ?? [])],
  );
  const noise = spreads.length > 0 ? { noise: median(spreads) } : {};
  if (spreads.length > 0)
    console.log(`\nnoise: half of the rounds of slabpool differ by ${percent(median(spreads))} of their median`);
  const took = Math.round((performance.now() - started) / 1000);
  const command = `npm run bench -- ${name}${values.quick ? ' --quick' : ''}`;
  save(name, values.quick, { title, command, took, ...platform, ...noise, results, series });
}

console.log(`\n## targets\n${verdicts(measured)}`);

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

/** About how long it will take from now on, where the last results say so. @param {number} at @param {number} started */
function left(at, started) {
  const [now = 0, ...later] = expected.slice(at);
  if ([now, ...later].includes(0)) return '';
  const seconds = Math.max(0, now - (performance.now() - started) / 1000) + later.reduce((sum, next) => sum + next, 0);
  return seconds < 90 ? `, about ${Math.ceil(seconds)} s left` : `, about ${Math.round(seconds / 60)} min left`;
}

/** @param {number} share */
function percent(share) {
  return `${(share * 100).toPrecision(2)} %`;
}
