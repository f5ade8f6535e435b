// bench/results/*.json: a file for each benchmark and release of Node.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';

const FOLDER = new URL('results/', import.meta.url);
/** Of Node, that runs this. */
export const RELEASE = Number(process.versions.node.split('.')[0]);

/**
 * @typedef {object} Results
 * @property {string} title
 * @property {string} command
 * @property {string} runtime
 * @property {string} cpu
 * @property {number} [took] seconds
 * @property {number} [noise] the middle half of slabpool's rounds, as a share of their median; the median over the tables
 * @property {Record<string, readonly import('./measure.js').Result[] | number>} results a table by its label, or a figure
 * @property {Record<string, Curves>} [series] what changed over time, by its label
 */

/** Several lines of points; `x` and `y` are their units. @typedef {{ x: string, y: string, lines: Record<string, readonly (readonly [x: number, y: number])[]> }} Curves */

/** A table of results. @typedef {readonly import('./measure.js').Result[]} Cases */

/** What a quick run says must not take the place of figures that the documentation cites. @param {string} name @param {boolean} quick */
function fileOf(name, quick) {
  return new URL(`node${RELEASE}-${name}.${quick ? 'tmp.json' : 'json'}`, FOLDER);
}

/** @param {string} name @param {boolean} quick @param {Results} results */
export function save(name, quick, results) {
  mkdirSync(FOLDER, { recursive: true });
  // Lists of numbers in one line each.
  const text = JSON.stringify(results, null, 2).replaceAll(/\[[-\d.e+,\s]+\]/g, (list) => list.replaceAll(/\s+/g, ' '));
  writeFileSync(fileOf(name, quick), `${text}\n`);
}

/** The last results of this release of Node. @param {string} name @param {boolean} quick @returns {Results | undefined} */
export function read(name, quick) {
  try {
    return parse(fileOf(name, quick));
  } catch {
    return undefined;
  }
}

/** All that is committed. @returns {{ release: number, name: string, results: Results }[]} */
export function committed() {
  return readdirSync(FOLDER).flatMap((file) => {
    const [, release, name] = file.match(/^node(\d+)-([\w-]+)\.json$/) ?? [];
    return name === undefined ? [] : [{ release: Number(release), name, results: parse(new URL(file, FOLDER)) }];
  });
}

/** @param {URL | string} file @returns {Results} */
export function parse(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
