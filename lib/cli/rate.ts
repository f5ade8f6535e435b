import { formatCount } from '../base/format.js';

/** What a rate needs of two looks at one pool. */
interface Look {
  readonly ageMs: number;
}

/** Of something that is counted, a second since the last look, by the service's own clock; since its beginning if it began after that. */
export function rate<S extends Look>(now: S, before: S | undefined, of: (stats: S) => number): string {
  const same = before !== undefined && before.ageMs < now.ageMs && of(before) <= of(now);
  const [count, ms] = same ? [of(now) - of(before), now.ageMs - before.ageMs] : [of(now), now.ageMs];
  return formatCount(Math.round((count * 1000) / Math.max(1, ms)));
}
