import type { PoolStats } from '../stats/stats.js';
import { Diagnosis } from './diagnosis.js';
import { diagnoseMemory } from './memory.js';
import { diagnoseUse } from './use.js';

/**
 * Says whether a pool pays its rent, from a snapshot alone, so that the pool can be another process's, or last week's.
 * What was counted over the whole life of the pool is judged as a whole: a peak of load may look like idling.
 *
 * The needed budget is that of J. Little's law (Operations Research 9(3), 1961): leases out = rate x time held.
 */
export function diagnose(stats: PoolStats): Diagnosis {
  return new Diagnosis(stats.name, [...diagnoseUse(stats), ...diagnoseMemory(stats)]);
}
