import * as contenders from './contenders.js';
import { burst, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed } from './sizes.js';

export const title = 'bursts: so many acquires, then as many releases; per pair';

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, report }) {
  const sizes = fixed(4000);
  const { slabpool, typescriptCore, naive, fair, typedarray, nativePerAcquire, allocUnsafe } = contenders;
  for (const [label, unit] of /** @type {const} */ ([
    ['4000 B', 1000],
    ['4000 B, 10,000 at once', 10_000],
  ])) {
    const cases = [slabpool, typescriptCore, naive, fair, typedarray, nativePerAcquire, allocUnsafe].map(
      (contender) => ({
        ...prepared(contender, burst(contender, unit), sizes),
        unit,
      }),
    );
    cases.push({ ...prepared(slabpool, steady(slabpool), sizes), name: 'slabpool, steady pair', unit });
    report(label, await measure(cases, effort, (what) => progress(`${label}: ${what}`)));
  }
}
