// npm run bench [-- NAME ...] [--quick]: every benchmark, or those named; `targets` names those of speed against other pools. Tables of ratios, and bench/results/*.json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { DRAWN, SEED } from './sizes.js';
import { verdicts } from './targets.js';

const ONE_THREAD = [
  'steady',
  'burst',
  'live-set',
  'read-file',
  'steady-state',
  'detection',
  'core',
  'jagged',
  'decay',
  'cold',
  'objects',
  'resources',
];
const THREADS = ['handover', 'latency', 'xmalloc', 'larson', 'msgpass', 'scaling', 'budget', 'waiting', 'churn'];
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
  runtime: `Node.js ${process.versions.node}, V8 ${process.versions.v8}`,
  cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
  'Buffer.poolSize': Buffer.poolSize,
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
for (const name of named.length > 0 ? named : NAMES) {
  const { title, run } = await import(`./${name}.js`);
  console.log(`\n## ${name}: ${title}`);
  /** @type {Record<string, unknown>} */
  const results = {};
  /** @type {Context} */
  const context = {
    effort,
    progress,
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
  };
  await run(context);
  save(name, results);
}

console.log(`\n## targets\n${verdicts(measured)}`);

/** @param {readonly import('./measure.js').Result[]} cases */
function table(cases) {
  const more = MORE.filter(([key]) => cases.some((one) => one[key] !== undefined));
  const head = ['', 'ns', 'time / first', 'of rounds', ...more.map(([, name]) => name)];
  const grid = new Table({
    head,
    colAligns: head.map((_, i) => (i === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  for (const one of cases) {
    const { name, ns, ratio, low, high } = one;
    const others = more.map(([key]) => (one[key] === undefined ? '' : figure(one[key])));
    grid.push([name, figure(ns), figure(ratio), `${figure(low)}-${figure(high)}`, ...others]);
  }
  return grid.toString();
}

/** Three digits, or all before the point. @param {number} value */
function figure(value) {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}

/** @param {string} what */
function progress(what) {
  if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${what.slice(0, process.stdout.columns - 1)}`);
}

/** @param {string} name @param {Record<string, unknown>} results */
function save(name, results) {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  // What a quick run says must not take the place of figures that the documentation cites.
  const kind = values.quick ? 'tmp.json' : 'json';
  const file = new URL(`node${process.versions.node.split('.')[0]}-${name}.${kind}`, folder);
  writeFileSync(file, `${JSON.stringify({ ...platform, results }, null, 2)}\n`);
}
