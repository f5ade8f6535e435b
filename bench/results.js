// bench/results/*.json: a file for each benchmark and runtime.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = new URL('results/', import.meta.url);

/** What runs this, and its major version: `node20`, `bun1`, `deno2`. */
export const RUNTIME = runtimeOf(process.versions);

/** @param {Record<string, string | undefined>} versions */
function runtimeOf({ bun, deno, node = '' }) {
  const [name, version] = bun !== undefined ? ['bun', bun] : deno !== undefined ? ['deno', deno] : ['node', node];
  return name + version.split('.')[0];
}

/**
 * @typedef {object} Results
 * @property {string} [title] missing, as the command, in results that are older than both
 * @property {string} [command]
 * @property {string} runtime
 * @property {string} cpu
 * @property {number} [took] seconds
 * @property {number} [noise] the middle half of slabpool's rounds, as a share of their median; the median over the tables
 * @property {string[]} [leftOut] what this machine cannot show, and why
 * @property {Record<string, readonly import('./measure.js').Result[] | number>} results a table by its label, or a figure
 * @property {Record<string, Curves>} [series] what changed over time, by its label
 */

/**
 * Several lines of points; `x` and `y` are their units. Those over percentiles have these as nines: 1 is 90 %, 2 is 99 %.
 * @typedef {{ x: string, y: string, lines: Record<string, readonly (readonly [x: number, y: number])[]> }} Curves
 */

/** A table of results. @typedef {readonly import('./measure.js').Result[]} Cases */

/** What a runtime has left of a benchmark. @typedef {{ runtime: string, name: string, results: Results }} Committed */

/** What a smoke run says must not take the place of figures that the documentation cites. @param {string} runtime @param {string} name @param {boolean} smoke */
function fileOf(runtime, name, smoke) {
  return new URL(`${runtime}-${name}.${smoke ? 'tmp.json' : 'json'}`, FOLDER);
}

/** Of what runs this. @param {string} name @param {boolean} smoke @param {Results & Record<string, unknown>} results */
export function save(name, smoke, results) {
  mkdirSync(FOLDER, { recursive: true });
  const short = (/** @type {string} */ _, /** @type {unknown} */ value) =>
    typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(DIGITS)) : value;
  // Lists of numbers in one line each.
  const text = JSON.stringify(results, short, 2).replaceAll(/\[[-\d.e+,\s]+\]/g, (list) =>
    list.replaceAll(/\s+/g, ' '),
  );
  writeFileSync(fileOf(RUNTIME, name, smoke), `${text}\n`);
}

/** More than any figure is true to. */
const DIGITS = 6;

/** The last results of a runtime. @param {string} runtime @param {string} name @param {boolean} smoke @returns {Results | undefined} */
export function read(runtime, name, smoke) {
  try {
    return parse(fileOf(runtime, name, smoke));
  } catch {
    return undefined;
  }
}

/** All that is committed: Node first, the oldest first. @returns {Committed[]} */
export function committed() {
  const all = readdirSync(FOLDER).flatMap((file) => {
    const [, runtime, name] = file.match(/^([a-z]+\d+)-([\w-]+)\.json$/) ?? [];
    return runtime === undefined || name === undefined
      ? []
      : [{ runtime, name, results: parse(new URL(file, FOLDER)) }];
  });
  return all.sort((a, b) => rank(a.runtime) - rank(b.runtime) || a.name.localeCompare(b.name));
}

/** @param {string} runtime */
const rank = (runtime) => (runtime.startsWith('node') ? 0 : 1000) + Number(runtime.replace(/\D+/, ''));

/** Each once, in the order in which they come. @param {readonly { runtime: string }[]} all */
export const runtimesOf = (all) => [...new Set(all.map(({ runtime }) => runtime))];

/** `Node 20`. @param {string} runtime */
export const titleOf = (runtime) => runtime.replace(/^(.)(\D*)/, (_, first, rest) => `${first.toUpperCase()}${rest} `);

/** @param {URL | string} file @returns {Results} */
export function parse(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
