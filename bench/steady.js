import * as contenders from './contenders.js';
import { passedOn, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed, logNormal } from './sizes.js';

export const title = 'acquire + touch (first and last byte) + release';

const KiB = 1024;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  for (const size of [256, KiB, 4000, 4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB, 1024 * KiB, null]) {
    const label = size === null ? 'mix: log-normal, median 2 KiB' : `${size} B`;
    const drawn = size === null ? logNormal : fixed(size);
    const cases = contenders.all.map((contender) => prepared(contender, steady(contender), drawn, effort));
    report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
  }
  for (const [label, drawn] of /** @type {const} */ ([
    ['4000 B, passed on', fixed(4000)],
    ['mix, passed on', logNormal],
  ])) {
    const cases = contenders.all.map((contender) => prepared(contender, passedOn(contender), drawn, effort));
    report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
  }
}
