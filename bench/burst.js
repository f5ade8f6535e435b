import * as contenders from './contenders.js';
import { burst, prepared, steady } from './loops.js';
import { measure } from './measure.js';
import { fixed } from './sizes.js';

export const title = 'bursts of 1,000 acquires, then 1,000 releases, of 4000 B; per pair';

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, report }) {
  const sizes = fixed(4000);
  const { slabpool, naive, fair, typedarray, nativePerAcquire, allocUnsafe } = contenders;
  const cases = [slabpool, naive, fair, typedarray, nativePerAcquire, allocUnsafe].map((contender) =>
    prepared(contender, burst(contender, 1000), sizes),
  );
  cases.push({ ...prepared(slabpool, steady(slabpool), sizes), name: 'slabpool, steady pair' });
  report('4000 B', await measure(cases, effort, progress));
}
