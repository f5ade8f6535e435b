// The page: every table of results as bars, what they stand for beneath, and first of all where slabpool loses.
import { readFileSync } from 'node:fs';
import { BENCHMARKS } from '../benchmarks.js';
import { chartGroups } from '../chart.js';
import { figure } from '../format.js';
import { runtimesOf, titleOf } from '../results.js';
import { isLevel } from '../statistics.js';
import { byRuntime } from '../targets.js';
import { barFrom, lines, ratioBars } from './charts.js';
import { html, raw } from './markup.js';

/** @typedef {import('../results.js').Committed} Committed */
/** A table of results, which a runtime has left. @typedef {{ runtime: string, name: string, label: string, bars: import('./charts.js').Bar[], cases: import('../results.js').Cases }} Group */

/** @param {readonly Committed[]} all */
export async function page(all) {
  const groups = all.flatMap(groupsOf);
  const names = BENCHMARKS.filter((name) => all.some((one) => one.name === name));
  const sections = await Promise.all(
    names.map((name) =>
      section(
        all.filter((one) => one.name === name),
        groups,
      ),
    ),
  );
  const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>slabpool: the numbers</title>
<style>${raw(style)}</style>
</head>
<body>
<h1>slabpool: the numbers</h1>
<p>Ratios: the time of a contender over slabpool's, in one run, taking turns. Bars to the right of 1 are slower than slabpool, those to
the left faster. The line across a bar's end is where the ratio lies with 95 % confidence (or the spread of the rounds, in results
that have no more than that); what crosses 1 is level.</p>
<nav>${[['glance', 'at a glance'], ['losses', 'losses'], ['targets', 'targets'], ['runtimes', 'runtimes'], ...names.map((name) => [name, name])].map(([id, text]) => html`<a href="#${id}">${text}</a> `)}</nav>
${await glance()}
${losses(groups)}
${targets(all)}
${await sideBySide(groups)}
${sections}
</body>
</html>
`.toString();
}

/** What the chart of the README shows. */
async function glance() {
  const cards = await Promise.all(
    chartGroups().map(
      async ({ title, bars }) => html`<div class="card"><h3>${title}</h3>${raw(await ratioBars(bars))}</div>`,
    ),
  );
  return html`<h2 id="glance">At a glance</h2><div class="cards">${cards}</div>`;
}

/** @param {Committed} one @returns {Group[]} */
function groupsOf({ runtime, name, results }) {
  return Object.entries(results.results).flatMap(([label, cases]) =>
    typeof cases === 'number' ? [] : [{ runtime, name, label, cases, bars: cases.slice(1).map(barFrom) }],
  );
}

/** By whom, in what, and how often; each of them beneath. @param {readonly Group[]} groups */
function losses(groups) {
  const all = groups
    .flatMap(({ runtime, name, label, bars }) => bars.map((bar) => ({ ...bar, runtime, bench: name, label })))
    .filter(({ name }) => !isOurs(name));
  const lost = all
    .filter(({ low, high, ratio }) => ratio < 1 && !isLevel([low, high]))
    .sort((a, b) => a.ratio - b.ratio);
  const keyOf = (/** @type {{ bench: string, name: string }} */ { bench, name }) => `${bench}\n${name}`;
  const kinds = [...new Set(lost.map(keyOf))].map((key) => {
    const own = lost.filter((one) => keyOf(one) === key);
    return { worst: /** @type {(typeof lost)[number]} */ (own[0]), own, of: all.filter((one) => keyOf(one) === key) };
  });
  return html`<h2 id="losses">Where slabpool loses</h2>
<p class="of">${lost.length} of ${all.length} comparisons, by whom and in what; the greatest loss first. What is level is not here.</p>
<div class="wide"><table><thead><tr><th>faster than slabpool, and where most<th>in how many<th>time over slabpool's there</thead>
${kinds.map(({ worst, own, of }) => html`<tr><td><b>${worst.name}</b><br><a href="#${worst.bench}">${worst.bench}</a>: ${worst.label}, ${titleOf(worst.runtime)}<td>${own.length} of ${of.length}<td>${figure(worst.ratio)}`)}
</table></div>
<details><summary>All ${lost.length}</summary><div class="wide"><table><thead><tr><th>faster than slabpool<th>on<th>time over slabpool's</thead>
${lost.map(({ bench, label, name, runtime, ratio }) => html`<tr><td><b>${name}</b><br><a href="#${bench}">${bench}</a>: ${label}<td>${titleOf(runtime)}<td>${figure(ratio)}`)}
</table></div></details>`;
}

/** Some tables have other ways to use slabpool as well. @param {string} name */
const isOurs = (name) => name.startsWith('slabpool');

/** What slabpool promises itself, on each runtime. @param {readonly Committed[]} all */
function targets(all) {
  const { runtimes, rows, met, of } = byRuntime(all);
  const cell = (/** @type {import('../targets.js').Verdict | undefined} */ verdict) =>
    verdict === undefined
      ? html`<td>`
      : html`<td class="${verdict.met ? '' : 'missed'}">${figure(verdict.shown)} ${verdict.met ? '' : 'missed'}`;
  return html`<h2 id="targets">Targets</h2>
<p class="of">${met} of ${of} are met. They are not promises: what is missed is told with its reasons in docs/targets.md.</p>
<details><summary>All ${rows.length}</summary><div class="wide"><table><thead><tr><th>${runtimes.map((runtime) => html`<th>${titleOf(runtime)}`)}</thead>
${rows.map(({ what, verdicts }) => html`<tr><td>${what}${runtimes.map((runtime) => cell(verdicts.get(runtime)))}`)}
</table></div></details>`;
}

/** A comparison of each kind, to be seen at once. */
const SIDE_BY_SIDE = [
  ['steady', '4000 B, passed on', 'fair JS pool'],
  ['steady', '4000 B, passed on', 'Buffer.allocUnsafe'],
  ['live-set', '1024 buffers, log-normal', 'fair JS pool'],
  ['live-set', '1024 buffers, log-normal', 'Buffer.allocUnsafe'],
  ['handover', '64 KiB', 'postMessage, recycled ArrayBuffers transferred there and back'],
  ['io', 'lines of a file, one field of each from its bytes', 'createReadStream, carrying over'],
];

/** What was measured on several runtimes. @param {readonly Group[]} groups */
async function sideBySide(groups) {
  const cards = await Promise.all(
    SIDE_BY_SIDE.map(async ([bench, label, contender]) => {
      const bars = groups
        .filter((group) => group.name === bench && group.label === label)
        .flatMap((group) => {
          const bar = group.bars.find(({ name }) => name === contender);
          return bar === undefined ? [] : [{ ...bar, name: titleOf(group.runtime) }];
        });
      return html`<div class="card"><h3>${contender}: ${bench}, ${label}</h3>${raw(await ratioBars(bars))}</div>`;
    }),
  );
  const runtimes = runtimesOf(groups);
  /** @type {Map<string, Map<string, number>>} */
  const rows = new Map();
  for (const { runtime, name, label, bars } of groups) {
    for (const bar of bars) {
      const key = `${name}: ${label}: ${bar.name}`;
      rows.set(key, (rows.get(key) ?? new Map()).set(runtime, bar.ratio));
    }
  }
  const several = [...rows].filter(([, of]) => of.size > 1);
  return html`<h2 id="runtimes">Runtimes side by side</h2>
<p class="of">Time over slabpool's on the same runtime; below 1 slabpool loses.</p>
<div class="cards">${cards}</div>
<details><summary>${several.length} comparisons</summary><div class="wide"><table><thead><tr><th>${runtimes.map((runtime) => html`<th>${titleOf(runtime)}`)}</thead>
${several.map(([key, of]) => html`<tr><td>${key}${runtimes.map((runtime) => html`<td>${of.has(runtime) ? figure(/** @type {number} */ (of.get(runtime))) : ''}`)}`)}
</table></div></details>`;
}

/** @param {readonly Committed[]} runs of one benchmark @param {readonly Group[]} groups */
async function section(runs, groups) {
  const [first] = runs;
  if (first === undefined) return '';
  const { name } = first;
  const parts = await Promise.all(
    runs.map(async ({ runtime, results }, i) => {
      const own = groups.filter((group) => group.name === name && group.runtime === runtime);
      const cards = await Promise.all(own.map(card));
      const curves = await Promise.all(Object.entries(results.series ?? {}).map(curveCard));
      const { cpu, noise } = results;
      const quality = noise === undefined ? '' : `; half of the rounds differ by ${figure(noise * 100)} %`;
      const shown = html`<p class="of">${results.runtime}; ${cpu}${quality}; <code>${results.command ?? `npm run bench -- ${name}`}</code></p>
<div class="cards">${cards}${curves}${facts(results)}</div>`;
      return i === 0 ? shown : html`<details class="runtime"><summary>${titleOf(runtime)}</summary>${shown}</details>`;
    }),
  );
  return html`<h2 id="${name}">${name}</h2>
<p>${first.results.title ?? ''}</p>
${parts}`;
}

/** @param {Group} group */
async function card({ label, bars, cases }) {
  const [first] = cases;
  return html`<div class="card"><h3>${label}</h3>
${raw(await ratioBars(bars))}
<details><summary>Data</summary><div class="wide"><table><thead><tr><th><th>ns<th>ratio<th>from<th>to</thead>
<tr><td>${first?.name}<td>${figure(first?.ns ?? 0)}<td>1<td><td>
${bars.map(({ name, ratio, low, high }, i) => html`<tr><td>${name}<td>${figure(cases[i + 1]?.ns ?? 0)}${[ratio, low, high].map((value) => html`<td>${figure(value)}`)}`)}
</table></div></details></div>`;
}

/** @param {[label: string, curves: import('../results.js').Curves]} entry */
async function curveCard([label, curves]) {
  const ends = Object.entries(curves.lines).map(([name, points]) => ({
    name,
    peak: Math.max(...points.map(([, y]) => y)),
    last: points.at(-1)?.[1] ?? 0,
  }));
  return html`<div class="card"><h3>${label}</h3>
${raw(await lines(curves))}
<details><summary>Data</summary><table><thead><tr><th>${curves.y}<th>peak<th>at the end</thead>
${ends.map(({ name, peak, last }) => html`<tr><td>${name}<td>${figure(peak)}<td>${figure(last)}`)}
</table></details></div>`;
}

/** @param {import('../results.js').Results} results */
function facts({ results }) {
  const figures = Object.entries(results).filter(([, value]) => typeof value === 'number');
  if (figures.length === 0) return '';
  return html`<div class="card"><h3>Figures</h3><table>${figures.map(([what, value]) => html`<tr><td>${what}<td>${figure(/** @type {number} */ (value))}`)}</table></div>`;
}
