// Documents whose figures come from bench/results: templates beside this file, with holes such as {{steady > 4000 B > fair JS pool}}.
import { readFileSync } from 'node:fs';
import { chart } from '../chart.js';
import { brief } from '../format.js';
import { isLevel } from '../statistics.js';
import { barFrom } from './charts.js';

/** @typedef {readonly { release: number, name: string, results: import('../results.js').Results }[]} All */

/** What documents are filled from, by where they end up. */
const TEMPLATES = { 'docs/benchmarks.md': 'benchmarks.template.md' };
/** Documents of which parts are filled, each from the comment above it. */
const PARTLY = ['docs/which-pool.md', 'docs/resources.md', 'docs/scaling.md'];
const PART = /(<!-- figures\n(.*?)\n-->\n).*?(\n<!-- \/figures -->)/gs;
/** The chart of the README, which has no other figures. */
const CHART = /```\n +faster\|.*?```/s;

/** Releases of Node; where a hole names none, it is of the first. */
const RELEASE = 20;

/** @type {Readonly<Record<string, (value: number) => string>>} */
const FORMATS = {
  '': brief,
  3: (value) => value.toFixed(3),
  '%': (value) => `${brief(value * 100)} %`,
  inverse: (value) => brief(1 / value),
  MB: (value) => `${(value / 1e6).toFixed(1)} MB`,
  ms: (value) => String(Math.round(value)),
  integer: (value) => Math.round(value).toLocaleString('en'),
};

/** Every document, filled. @param {All} all @returns {Record<string, string>} by its path */
export function documents(all) {
  const whole = Object.entries(TEMPLATES).map(([path, template]) => [path, fill(read(template), all)]);
  const partly = PARTLY.map((path) => [
    path,
    read(`../../${path}`).replaceAll(PART, (_, comment, template, end) => comment + fill(template, all) + end),
  ]);
  const readme = read('../../README.md').replace(CHART, () => `\`\`\`\n${chart()}\n\`\`\``);
  return { ...Object.fromEntries([...whole, ...partly]), 'README.md': readme };
}

/** @param {string} file */
const read = (file) => readFileSync(new URL(file, import.meta.url), 'utf8');

/**
 * Fills the holes of a template:
 *
 *     {{steady > 4000 B > naive JS pool; fair JS pool}}    cells of a row: ratios, bold where slabpool loses, `-` for what there is not
 *     {{24: steady > 4000 B > slabpool | ns}}              nanoseconds, on Node 24
 *     {{decay > left after two epochs, of the burst | %}}  a figure that is in no table
 *     {{steady @ cpu}}                                     what the results say of themselves
 *
 * @param {string} template @param {All} all
 * @throws for a hole of which the results know nothing
 */
export function fill(template, all) {
  return template.replaceAll(/\{\{(.*?)\}\}/g, (hole, text) => {
    const [, release = RELEASE, path, format = ''] = text.match(/^(?:(\d+): )?(.*?)(?: \| (.*))?$/);
    const filled = figureOf(path, Number(release), format, all);
    if (filled === undefined) throw new Error(`bench/results has nothing for ${hole}`);
    return filled;
  });
}

/** @param {string} path @param {number} release @param {string} format @param {All} all */
function figureOf(path, release, format, all) {
  const [name = '', label, contenders] = path.split(/ [>@] /);
  const results = all.find((one) => one.release === release && one.name === name)?.results;
  if (results === undefined || label === undefined) return undefined;
  if (path.includes(' @ ')) return /** @type {any} */ (results)[label]?.toString();
  const value = results.results[label];
  if (value === undefined) return undefined;
  if (typeof value === 'number') return FORMATS[format]?.(value);
  const cells = contenders?.split('; ').map((contender) => {
    const one = value.find((found) => found.name === contender);
    return one === undefined ? (contender === '-' ? '-' : undefined) : cell(one, format);
  });
  return cells?.includes(undefined) ? undefined : cells?.join(' | ');
}

/** @param {import('../measure.js').Result} one @param {string} format */
function cell(one, format) {
  if (format === 'ns') return brief(one.ns);
  if (format === 'ns, MiB') return `${brief(one.ns)}, ${brief(one.peakRssMiB ?? 0)}`;
  if (format === 'inverse') return brief(1 / one.ratio);
  const { ratio, low, high } = barFrom(one);
  const text = ratio < 1 && !isLevel([low, high]) ? `**${brief(ratio)}**` : brief(ratio);
  return format === 'MiB' ? `${text}, ${brief(one.peakRssMiB ?? 0)}` : text;
}
