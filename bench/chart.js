// The chart of README.md, from what `npm run bench -- steady live-set handover msgpass larson` left in bench/results/.
import { brief } from './format.js';
import { barFrom } from './report/charts.js';
import { parse } from './results.js';

/** Columns for a doubling of the time. */
const COLUMNS = 4;
/** Columns for what is faster than slabpool: down to a quarter of its time. */
const FASTER = 2 * COLUMNS;
const NAMES = 42;

/** @typedef {readonly [title: string, bench: string, label: string, contenders: Readonly<Record<string, string>>]} Group */

/** @type {readonly Group[]} */
const GROUPS = [
  [
    'acquire, touch, pass on, release: 4000 B',
    'steady',
    '4000 B, passed on',
    {
      'naive JS pool': 'JS pool that checks nothing',
      'fair JS pool': 'JS pool with bounds and checks',
      'typedarray-pool': 'typedarray-pool',
      'native call per acquire': 'a native call per acquire',
      'Buffer.allocUnsafe': 'Buffer.allocUnsafe',
      'new ArrayBuffer': 'new ArrayBuffer',
    },
  ],
  [
    'the same with 1,024 buffers held, mixed sizes',
    'live-set',
    '1024 buffers, log-normal',
    {
      'naive JS pool': 'JS pool that checks nothing',
      'fair JS pool': 'JS pool with bounds and checks',
      'Buffer.allocUnsafe': 'Buffer.allocUnsafe',
    },
  ],
  [
    '64 KiB to a worker',
    'handover',
    '64 KiB',
    {
      'postMessage, recycled ArrayBuffers transferred there and back': 'postMessage, transferred there and back',
      'postMessage, fresh ArrayBuffers transferred': 'postMessage, fresh ones transferred',
    },
  ],
  [
    '16 KiB through eight threads',
    'msgpass',
    '16 KiB',
    { 'postMessage, recycled ArrayBuffers transferred': 'postMessage, transferred there and back' },
  ],
  [
    '5,000 live buffers inherited when a thread ends',
    'larson',
    'log-normal sizes, median 2 KiB',
    { 'fair JS pool, inherited by transfer': 'JS pool of each thread, transferred' },
  ],
];

/** What the chart shows, on Node 20. */
export function chartGroups() {
  return GROUPS.map(([title, bench, label, contenders]) => ({
    title,
    bars: Object.entries(contenders).map(([name, shown]) => barOf(resultsOf(bench).results[label], name, shown)),
  }));
}

/** @returns {string} */
export function chart() {
  const rows = chartGroups().flatMap(({ title, bars }) => [title, ...bars.map(({ name, ratio }) => row(name, ratio))]);
  const results = GROUPS.map(([, bench]) => resultsOf(bench));
  const cpus = [...new Set(results.map(({ cpu }) => cpu))].join('; ');
  const head = `${' '.repeat(NAMES)}${'faster'.padStart(FASTER)}|slower than slabpool, log scale`;
  const foot = [`Node.js 20, ${cpus}`, "time over slabpool's, each group side by side in one run"];
  return [head, ...rows, ...foot].join('\n');
}

/** @param {string} name @param {number} ratio */
function row(name, ratio) {
  const length = Math.round(Math.abs(Math.log2(ratio)) * COLUMNS);
  const bar = '█'.repeat(length);
  const [left, right] = ratio < 1 ? [bar, ''] : ['', `${bar} `];
  return `  ${name.padEnd(NAMES - 2)}${left.padStart(FASTER)}|${right}${ratio < 1 ? ' ' : ''}${brief(ratio)}`;
}

/** @param {string} bench */
const resultsOf = (bench) => parse(new URL(`results/node20-${bench}.json`, import.meta.url));

/** @param {import('./results.js').Cases | number | undefined} cases @param {string} contender @param {string} shown its name in the chart */
function barOf(cases, contender, shown) {
  const found = typeof cases === 'number' ? undefined : cases?.find(({ name }) => name === contender);
  if (found === undefined) throw new Error(`bench/results has nothing of '${contender}'`);
  return { ...barFrom(found), name: shown };
}
