// npm run bench:compare -- BEFORE.json AFTER.json: what a change did to every figure, with how sure that is.
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { figure } from './format.js';
import { parse } from './results.js';
import { change, isLevel } from './statistics.js';

/** @typedef {{ ratio: number, interval?: import('./statistics.js').Interval }} Change */

const { positionals } = parseArgs({ allowPositionals: true });
const [before, after] = positionals;
if (before === undefined || after === undefined || positionals.length > 2) {
  console.error('npm run bench:compare: expected two files of bench/results, BEFORE.json AFTER.json');
  process.exit(2);
}
const [old, now] = [parse(before), parse(after)];
for (const key of /** @type {const} */ (['command', 'runtime', 'cpu'])) {
  if (old[key] !== now[key]) console.log(`not the same ${key}: ${old[key]} | ${now[key]}`);
}
const head = ['', 'before', 'after', 'after / before', '95 %', ''];
const grid = new Table({
  head,
  colAligns: head.map((_, i) => (i === 0 || i === 5 ? 'left' : 'right')),
  style: { head: [], border: [] },
});
for (const [label, cases] of Object.entries(now.results)) {
  const earlier = old.results[label];
  if (typeof cases === 'number') {
    if (typeof earlier === 'number') row(label, earlier, cases, { ratio: cases / earlier });
  } else if (earlier !== undefined && typeof earlier !== 'number') {
    compareTables(label, earlier, cases);
  }
}
console.log(`${grid}\nContenders by their time over the first of their table, since machines drift between two runs.`);

/** @param {string} label @param {import('./results.js').Cases} before @param {import('./results.js').Cases} after */
function compareTables(label, before, after) {
  for (const one of after.slice(1)) {
    const same = before.find(({ name }) => name === one.name);
    if (same !== undefined)
      row(`${label}: ${one.name}`, same.ratio, one.ratio, changeOf(ratios(same, before), ratios(one, after)));
  }
}

/** One a round; none in files that do not have the rounds. @param {import('./measure.js').Result} one @param {import('./results.js').Cases} cases */
function ratios({ rounds = [] }, [first]) {
  return rounds.map((ns, round) => ns / /** @type {number} */ (first?.rounds[round]));
}

/** @param {readonly number[]} before @param {readonly number[]} after @returns {Change | undefined} */
function changeOf(before, after) {
  return before.length > 0 && after.length > 0 ? change(before, after) : undefined;
}

/** @param {string} label @param {number} before @param {number} after @param {Change} [changed] */
function row(label, before, after, changed = { ratio: after / before }) {
  const { ratio, interval } = changed;
  const verdict = interval === undefined ? '' : isLevel(interval) ? 'level' : ratio < 1 ? 'less' : 'more';
  grid.push([label, figure(before), figure(after), figure(ratio), interval?.map(figure).join('-') ?? '', verdict]);
}
