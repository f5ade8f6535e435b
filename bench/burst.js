import * as contenders from './contenders.js';
import { burst, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed } from './sizes.js';

const LENGTH = 1000;

export const title = `bursts of ${LENGTH} acquires, then ${LENGTH} releases, of 4000 B; per pair`;

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, report }) {
  const sizes = fixed(4000);
  const { slabpool, naive, fair, typedarray, nativePerAcquire, allocUnsafe } = contenders;
  const cases = [slabpool, naive, fair, typedarray, nativePerAcquire, allocUnsafe].map((contender) => ({
    ...prepared(contender, burst(contender, LENGTH), sizes),
    unit: LENGTH,
  }));
  cases.push({ ...prepared(slabpool, steady(slabpool), sizes), name: 'slabpool, steady pair', unit: LENGTH });
  report('4000 B', await measure(cases, effort, progress));
}
