import * as contenders from './contenders.js';
import { burst, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed } from './sizes.js';

export const title = 'bursts: so many acquires, then as many releases; per pair';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report }) {
  const sizes = fixed(4000);
  const { slabpool, thingMalloc, resizable } = contenders;
  for (const [label, unit] of /** @type {const} */ ([
    ['4000 B', 1000],
    ['4000 B, 10,000 at once', 10_000],
  ])) {
    // To free one, `@thi.ng/malloc` looks through a list of all that are out: 80 µs where these are 10,000.
    const without = unit > 1000 ? [resizable, thingMalloc] : [resizable];
    const cases = contenders.all
      .filter((contender) => !without.includes(contender))
      .map((contender) => ({ ...prepared(contender, burst(contender, unit), sizes, effort), unit }));
    cases.push({ ...prepared(slabpool, steady(slabpool), sizes, effort), name: 'slabpool, steady pair', unit });
    report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
  }
}
