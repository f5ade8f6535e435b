/** Findings about every kind of pool. */

import { formatCount } from '../base/format.js';
import { ENOUGH_ACQUIRES, type Finding } from './diagnosis.js';

export function tooFewAcquires({ acquires, outstanding }: { acquires: number; outstanding: number }): Finding {
  return {
    id: 'too-few-acquires',
    severity: 'note',
    text: `${formatCount(acquires)} acquires so far, below ${formatCount(ENOUGH_ACQUIRES)}: too few to judge the pool by`,
    advice: 'Ask again under load. If this is the load, the pool gains next to nothing.',
    figures: { acquires, outstanding, enough: ENOUGH_ACQUIRES },
  };
}

/** Of leaks, if there are any. */
export function collectedLeases({ collected, sampleRate }: { collected: number; sampleRate: number }): Finding[] {
  if (collected === 0) return [];
  return [
    {
      id: 'collected',
      severity: 'warning',
      text: `${formatCount(collected)} tracked leases were garbage-collected without a release, and those that are not tracked with them`,
      advice:
        "leakDetection: 'full' in staging names every site; the diagnostics channel slabpool:leak those that were sampled.",
      figures: { collected, sampleRate },
    },
  ];
}
