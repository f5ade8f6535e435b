import { formatCount, formatDuration, formatShare } from '../base/format.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import { Diagnosis, ENOUGH_ACQUIRES, type Finding } from './diagnosis.js';
import { tooFewAcquires } from './findings.js';

/** A pool whose resources are used so many times each, on the average, or fewer, costs more than it gives back. */
const DEBT_USES = 2;
/** Room for bursts above the mean that Little's law gives. */
const HEADROOM = 1.5;
/** A pool is too large when no more than this share of it was ever used. */
const TOO_LARGE = 1 / 4;
/** A pool of fewer resources is never too large. */
const LEAST_SIZE = 8;
/** Milliseconds before which the most that were used says little. */
const TOO_LARGE_AFTER_MS = 60_000;
/** A share of the calls of `check`, or of the leases: more broken ones than this are a warning. */
const BROKEN = 0.05;

/**
 * Says whether a pool is as large as it should be, and what is wrong with its resources, from a snapshot alone.
 *
 * The needed size is that of J. Little's law (Operations Research 9(3), 1961): resources in use = rate x time used.
 */
export function diagnoseResources(stats: ResourcePoolStats): Diagnosis {
  return new Diagnosis(stats.name, [
    ...reuse(stats),
    ...size(stats),
    ...opening(stats),
    ...broken(stats),
    ...leaked(stats),
    ...closing(stats),
  ]);
}

function reuse({ acquires, used, opened }: ResourcePoolStats): Finding[] {
  const figures = { acquires, opened, usesEach: acquires / Math.max(1, opened) };
  if (acquires < ENOUGH_ACQUIRES) return [tooFewAcquires({ acquires, outstanding: used })];
  const text = `${formatCount(acquires)} acquires of ${formatCount(opened)} resources: ${formatCount(figures.usesEach)} uses of each`;
  if (figures.usesEach > DEBT_USES) return [{ id: 'reuse', severity: 'ok', text, advice: '', figures }];
  const advice = 'Raise maxIdleMs, minIdle or maxLifetimeMs; or open them without a pool, which costs the same.';
  return [{ id: 'reuse', severity: 'debt', text, advice, figures }];
}

function size(stats: ResourcePoolStats): Finding[] {
  const { acquires, uses, ageMs, maxSize, peak, waits, refused } = stats;
  const useMs = uses.totalMs / Math.max(1, uses.count);
  const mean = (acquires / Math.max(1, ageMs)) * useMs;
  const needed = Math.max(1, Math.ceil(mean * HEADROOM));
  const law = `Rate x time used (${formatDuration(useMs)}) comes to ${formatCount(mean)} in use on the average`;
  const figures = { maxSize, peakUsed: peak.used, meanUseMs: useMs, meanUsed: mean, neededSize: needed };
  const gaveUp = waits.timedOut + refused.exhausted + refused.queueFull;
  // Those that waited while there was room waited for an opening.
  if (peak.used >= maxSize && waits.total > 0) {
    const served = Math.max(1, waits.total - waits.waiting - waits.timedOut - waits.aborted);
    return [
      {
        id: 'size-too-small',
        severity: gaveUp > 0 ? 'warning' : 'note',
        text:
          `all ${formatCount(maxSize)} resources were in use: ${formatCount(waits.total)} requests waited, ` +
          `${formatDuration(waits.totalMs / served)} on the average; ${formatCount(gaveUp)} were refused or gave up`,
        advice:
          needed <= maxSize
            ? `${law}, which is less: the load comes in bursts, or leases are held too long. trackedLeases() lists who has them.`
            : `${law}: raise maxSize to ${formatCount(needed)}, if what is at the other end can bear it, or hold leases for a shorter time.`,
        figures: { ...figures, waits: waits.total, gaveUp, meanWaitMs: waits.totalMs / served },
      },
    ];
  }
  if (maxSize < LEAST_SIZE || ageMs < TOO_LARGE_AFTER_MS || acquires < ENOUGH_ACQUIRES) return [];
  if (peak.used > TOO_LARGE * maxSize) return [];
  return [
    {
      id: 'size-too-large',
      severity: 'note',
      text: `of ${formatCount(maxSize)} resources at most ${formatCount(peak.used)} were used at once so far`,
      advice: `${law}; a smaller maxSize would bound a fault that this one does not.`,
      figures,
    },
  ];
}

function opening({ opened, opens, circuit, refused }: ResourcePoolStats): Finding[] {
  const findings: Finding[] = [];
  if (circuit.state !== 'closed') {
    findings.push({
      id: 'circuit',
      severity: 'warning',
      text: `the circuit is ${circuit.state}: opening has failed too often lately. ${formatCount(refused.circuitOpen)} requests were refused so far`,
      advice: 'What is at the other end is down, or refuses. One resource is tried after each coolDownMs.',
      figures: { trips: circuit.trips, refused: refused.circuitOpen },
    });
  }
  if (opens.failed > 0) {
    const share = opens.failed / (opens.failed + opened);
    findings.push({
      id: 'open-failed',
      severity: 'warning',
      text:
        `${formatCount(opens.failed)} calls of open failed, ${formatShare(share)} of them all; ${formatCount(refused.openFailed)} requests were ` +
        `refused for it, and ${formatCount(opens.late)} resources came too late`,
      advice:
        'The diagnostics channel slabpool:resource:open-failed has each failure. A breaker refuses requests while it lasts.',
      figures: { failed: opens.failed, failedShare: share, refused: refused.openFailed, late: opens.late },
    });
  }
  return findings;
}

function broken({ checks, closed, acquires }: ResourcePoolStats): Finding[] {
  const { check, destroyed } = closed;
  if (check + destroyed === 0) return [];
  const many = check > BROKEN * checks || destroyed > BROKEN * acquires;
  return [
    {
      id: 'broken',
      severity: many ? 'warning' : 'note',
      text: `${formatCount(check)} idle resources did not pass their check, and ${formatCount(destroyed)} were destroyed by who used them`,
      advice:
        'They are lost while idle: set maxIdleMs below the time after which the other end, or something in between, hangs up.',
      figures: { checks, checkFailed: check, destroyed },
    },
  ];
}

function leaked({ closed, leaks }: ResourcePoolStats): Finding[] {
  if (closed.leaked === 0) return [];
  return [
    {
      id: 'collected',
      severity: 'warning',
      text: `${formatCount(closed.leaked)} leases were garbage-collected without a release; until then nobody had their resources`,
      advice:
        "leakDetection: 'full' in staging names every site; the diagnostics channel slabpool:leak those that were sampled.",
      figures: { collected: closed.leaked, sampleRate: leaks.sampleRate },
    },
  ];
}

function closing({ closeFailed, closed }: ResourcePoolStats): Finding[] {
  if (closeFailed === 0) return [];
  const all = Object.values(closed).reduce((sum, count) => sum + count, 0);
  return [
    {
      id: 'close-failed',
      severity: 'note',
      text: `${formatCount(closeFailed)} of ${formatCount(all)} calls of close failed, or took longer than openTimeoutMs`,
      advice:
        'The other end may still have them. The diagnostics channel slabpool:resource:closed has what went wrong: cut off what is broken.',
      figures: { closeFailed, closed: all },
    },
  ];
}
