// Documents whose figures come from bench/results, by holes such as {{steady > 4000 B > fair JS pool}} in templates.
import { readdirSync, readFileSync } from 'node:fs';
import { BENCHMARKS } from '../benchmarks.js';
import { chart } from '../chart.js';
import { brief, figure } from '../format.js';
import { titleOf } from '../results.js';
import { isLevel } from '../statistics.js';
import { byRuntime } from '../targets.js';
import { barFrom } from './charts.js';

/** @typedef {readonly import('../results.js').Committed[]} All */

/** Documents that are filled as a whole, each from a template beside this file. */
const TEMPLATES = {
  'docs/benchmarks.md': 'benchmarks.template.md',
  'docs/targets.md': 'targets.template.md',
};
/** A part of any other document: a comment that has its template, then what comes of it. */
const PART = /(<!-- figures\n(.*?)\n-->\n).*?(\n<!-- \/figures -->)/gs;

/** Where a hole names no runtime, it is of this one. */
const RUNTIME = '20';

/** Of what is a number in the results. @type {Readonly<Record<string, (value: number) => string>>} */
const FORMATS = {
  '': brief,
  3: (value) => value.toFixed(3),
  '%': (value) => `${brief(value * 100)} %`,
  inverse: (value) => brief(1 / value),
  MB: (value) => `${(value / 1e6).toFixed(1)} MB`,
  ms: (value) => String(Math.round(value)),
  integer: (value) => Math.round(value).toLocaleString('en'),
};

/** Of a contender. @type {Readonly<Record<string, (one: import('../measure.js').Result) => string>>} */
const CELLS = {
  '': ratio,
  inverse: (one) => brief(1 / one.ratio),
  MiB: (one) => `${ratio(one)}, ${brief(one.peakRssMiB ?? 0)}`,
  ns: ({ ns }) => brief(ns),
  µs: ({ ns }) => brief(ns / 1000),
  'ns, MiB': ({ ns, peakRssMiB = 0 }) => `${brief(ns)}, ${brief(peakRssMiB)}`,
};

/** The README and all of docs/, filled. @param {All} all @returns {Record<string, string>} by their paths */
export function documents(all) {
  const pages = ['README.md', ...readdirSync(new URL('../../docs/', import.meta.url)).map((name) => `docs/${name}`)];
  const partly = pages
    .filter((path) => path.endsWith('.md'))
    .map((path) => [
      path,
      read(`../../${path}`).replaceAll(PART, (_, comment, template, end) => `${comment}${fill(template, all)}${end}`),
    ]);
  const whole = Object.entries(TEMPLATES).map(([path, template]) => [path, fill(read(template), all)]);
  return Object.fromEntries([...partly, ...whole]);
}

/** What people have written of a document, without what was filled in. @param {string} path */
export function written(path) {
  const template = /** @type {Record<string, string>} */ (TEMPLATES)[path];
  return template === undefined ? read(`../../${path}`).replaceAll(PART, '$2') : read(template);
}

/** @param {string} file */
const read = (file) => readFileSync(new URL(file, import.meta.url), 'utf8');

/** Holes that are no figures. @type {Readonly<Record<string, (all: All) => string>>} */
const PIECES = { chart, targets };

/** A hole, and what it encloses. */
export const HOLE = /\{\{(.*?)\}\}/g;

/**
 * Fills the holes of a template:
 *
 *     {{steady > 4000 B > naive JS pool; fair JS pool}}    cells of a row: ratios, bold where slabpool loses, `-` for what there is not
 *     {{24: steady > 4000 B > slabpool | ns}}              nanoseconds, on Node 24; `bun1: ` and `deno2: ` are others
 *     {{decay > left after two epochs, of the burst | %}}  a figure that is in no table
 *     {{steady @ cpu}}                                     what the results say of themselves
 *     {{chart}}                                            the README's
 *     {{targets}}                                          all of them, a table for each benchmark
 *
 * @param {string} template @param {All} all
 * @throws for a hole of which the results know nothing
 */
export function fill(template, all) {
  return template.replaceAll(HOLE, (hole, text) => {
    const [, runtime = RUNTIME, path, format = ''] = text.match(/^(?:([a-z]*\d+): )?(.*?)(?: \| (.*))?$/);
    const filled = PIECES[path]?.(all) ?? figureOf(path, runtime.replace(/^\d/, 'node$&'), format, all);
    if (filled === undefined) throw new Error(`bench/results has nothing for ${hole}`);
    return filled;
  });
}

/** What was missed is bold. @param {All} all */
function targets(all) {
  const { runtimes, rows, met, of } = byRuntime(all);
  const tables = BENCHMARKS.flatMap((name) => {
    const own = rows.filter(({ bench }) => bench === name);
    const columns = runtimes.filter((runtime) => own.some(({ verdicts }) => verdicts.has(runtime)));
    const table = [
      ['', ...columns.map(titleOf)],
      ['---', ...columns.map(() => '---:')],
      ...own.map(({ what, verdicts }) => [what, ...columns.map((runtime) => verdictCell(verdicts.get(runtime)))]),
    ];
    return own.length === 0 ? [] : [`### ${name}\n\n${table.map((row) => `| ${row.join(' | ')} |`).join('\n')}`];
  });
  return [`${met} of ${of} are met.`, ...tables].join('\n\n');
}

/** @param {import('../targets.js').Verdict | undefined} verdict */
function verdictCell(verdict) {
  if (verdict === undefined) return '';
  return verdict.met ? figure(verdict.shown) : `**${figure(verdict.shown)}**`;
}

/** @param {string} path @param {string} runtime @param {string} format @param {All} all */
function figureOf(path, runtime, format, all) {
  const [name = '', label, contenders] = path.split(/ [>@] /);
  const results = all.find((one) => one.runtime === runtime && one.name === name)?.results;
  if (results === undefined || label === undefined) return undefined;
  if (path.includes(' @ ')) return /** @type {any} */ (results)[label]?.toString();
  const value = results.results[label];
  if (value === undefined) return undefined;
  if (typeof value === 'number') return FORMATS[format]?.(value);
  const cells = contenders?.split('; ').map((contender) => {
    const one = value.find((found) => found.name === contender);
    return one === undefined ? (contender === '-' ? '-' : undefined) : CELLS[format]?.(one);
  });
  return cells?.includes(undefined) ? undefined : cells?.join(' | ');
}

/** Bold where slabpool loses, but not to itself. @param {import('../measure.js').Result} one */
function ratio(one) {
  const { name, ratio, low, high } = barFrom(one);
  const loses = ratio < 1 && !isLevel([low, high]) && !name.startsWith('slabpool');
  return loses ? `**${brief(ratio)}**` : brief(ratio);
}
