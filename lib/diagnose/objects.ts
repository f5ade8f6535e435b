import { formatCount, formatShare } from '../base/format.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import { Diagnosis, ENOUGH_ACQUIRES, type Finding } from './diagnosis.js';
import { collectedLeases, tooFewAcquires } from './findings.js';

/** One object created per 20 acquires and fewer is noise, where objects are worth a pool at all. */
const HEALTHY_HIT_RATE = 0.95;
/** A hit rate below which the pool makes most objects anew, and its care comes on top. */
const DEBT_HIT_RATE = 0.5;
/** A share of the acquires from which on a reason why objects are dropped is worth a word. */
const DROPS_MATTER = 0.05;

/**
 * Says whether an object pool pays its rent, from a snapshot alone. What an object costs to make is not in it: of objects that are cheap,
 * a pool is debt whatever its hit rate.
 */
export function diagnoseObjects(stats: ObjectPoolStats): Diagnosis {
  const judged = stats.acquires >= ENOUGH_ACQUIRES;
  const findings = judged ? [hitRate(stats), ...drops(stats)] : [tooFewAcquires(stats)];
  return new Diagnosis(stats.name, [...findings, ...failed(stats), ...collectedLeases(stats.leaks)]);
}

function hitRate({ acquires, hitRate, misses, outstanding, created }: ObjectPoolStats): Finding {
  const text = `hit rate ${formatShare(hitRate)} of ${formatCount(acquires)} acquires`;
  const figures = { hitRate, acquires, misses, outstanding, created };
  if (hitRate >= HEALTHY_HIT_RATE) return { id: 'hit-rate', severity: 'ok', text, advice: '', figures };
  const debt = hitRate < DEBT_HIT_RATE;
  const way = outstanding > misses / 2 ? 'release leases' : 'keep more of what is released, or for longer';
  return {
    id: 'hit-rate',
    severity: debt ? 'debt' : 'note',
    text: `${text}: ${formatCount(misses)} objects were created for them, and ${formatCount(outstanding)} leases are out`,
    advice: debt
      ? `Remove the pool, or ${way}: plain objects cost the same, and nobody has to release them.`
      : `Healthy is above ${formatShare(HEALTHY_HIT_RATE)}: ${way}.`,
    figures,
  };
}

/** Objects that were dropped although others were created in their place. */
function drops({ acquires, misses, drops, maxIdle, peak }: ObjectPoolStats): Finding[] {
  const matters = (count: number) => Math.min(count, misses) > DROPS_MATTER * acquires;
  const findings: Finding[] = [];
  if (matters(drops.full)) {
    findings.push({
      id: 'evicted',
      severity: 'warning',
      text: `${formatCount(drops.full)} objects were dropped since maxIdle ${formatCount(maxIdle)} were idle, and ${formatCount(misses)} created`,
      advice: `Raise maxIdle: up to ${formatCount(peak)} objects were there at once.`,
      figures: { full: drops.full, misses, maxIdle, peak },
    });
  }
  if (matters(drops.vetoed)) {
    findings.push({
      id: 'vetoed',
      severity: 'warning',
      text: `keep had ${formatCount(drops.vetoed)} objects dropped, and ${formatCount(misses)} were created`,
      advice: 'Let keep have larger ones, or find out what makes them grow or break.',
      figures: { vetoed: drops.vetoed, misses, acquires },
    });
  }
  if (matters(drops.decayed)) {
    findings.push({
      id: 'decay',
      severity: 'warning',
      text: `${formatCount(drops.decayed)} objects were dropped as unused, and ${formatCount(misses)} created: much of it was wanted again`,
      advice: 'Raise epochMs above half the time between two bursts.',
      figures: { decayed: drops.decayed, misses, acquires },
    });
  }
  return findings;
}

function failed({ failures }: ObjectPoolStats): Finding[] {
  const list = Object.entries(failures).flatMap(([callback, count]) =>
    count > 0 ? [`${callback} ${formatCount(count)} times`] : [],
  );
  if (list.length === 0) return [];
  return [
    {
      id: 'failed',
      severity: 'warning',
      text: `callbacks threw: ${list.join(', ')}`,
      advice:
        'What create, reset and keep throw is thrown by acquire() and release(); what destroy throws is published on the ' +
        'diagnostics channel slabpool:destroy-failed.',
      figures: { ...failures },
    },
  ];
}
