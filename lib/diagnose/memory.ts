import { formatBytes, formatCount, formatDuration, formatShare } from '../base/format.js';
import { HIGH } from '../core/pressure.js';
import type { PoolStats } from '../stats/stats.js';
import { ENOUGH_ACQUIRES, type Finding, handedOut } from './diagnosis.js';
import { collectedLeases } from './findings.js';

/** Tracked leases that a mean hold time needs: from about 30 on the mean of a sample is roughly normal. */
const ENOUGH_HOLDS = 30;
/** Room for bursts above the mean that Little's law gives. */
const HEADROOM = 1.5;
/** So many times the leases that rate and hold times explain are no burst. */
const HELD_FACTOR = 4;
/** Fewer leases than this are never suspicious. */
const HELD_LEAST = 64;
/** A budget is too large when its highest use so far would fit into it eight times. */
const TOO_LARGE = 1 / 8;
/** Milliseconds before which the highest use so far says little. */
const TOO_LARGE_AFTER_MS = 60_000;
/** A share of the bytes handed out: memory that was given back costs page faults when it is wanted again. */
const GIVEN_BACK = 0.05;
/** Milliseconds from which on a ticket counts as forgotten: one is on its way for as long as a message takes. */
const TICKET_OLD_MS = 60_000;
/** A share of the budget. */
const RETIRED_WARNING = 0.1;

/** Judges what the pool takes: whether memory is enough, too much, or lost. */
export function diagnoseMemory(stats: PoolStats): Finding[] {
  return [...leaks(stats), ...budget(stats), ...waiting(stats), ...givenBack(stats), ...pressure(stats)];
}

function leaks(stats: PoolStats): Finding[] {
  const { leaks, drops, retiredBytes, maxBytes, holds, inFlight, inFlightBytes } = stats;
  const findings = collectedLeases(leaks);
  const { expected, held, holdMs } = little(stats);
  if (holds.samples >= ENOUGH_HOLDS && held > HELD_LEAST && held > HELD_FACTOR * expected) {
    findings.push({
      id: 'held',
      severity: 'warning',
      text:
        `${formatCount(held)} leases are out in this thread, where its rate and the ${formatDuration(holdMs)} that leases ` +
        `are held explain ${formatCount(expected)} (${formatCount(leaks.tracked)} of them are tracked)`,
      advice:
        leaks.tracked > 0
          ? 'trackedLeases({ olderThanMs }) lists those that were taken long ago, and where.'
          : "None of them is tracked: leakDetection: 'full' says where they were acquired.",
      figures: { outstanding: held, expected, meanHoldMs: holdMs, tracked: leaks.tracked },
    });
  }
  if (inFlight.oldestTicketMs >= TICKET_OLD_MS) {
    const { tickets, oldestTicketMs, senders } = inFlight;
    const by = senders.map((sender) => `thread ${sender.thread}${sender.here ? ' (this one)' : ''} ${sender.tickets}`);
    findings.push({
      id: 'tickets',
      severity: 'warning',
      text:
        `${formatCount(tickets)} tickets were adopted by nobody, the oldest for ${formatDuration(oldestTicketMs)}, and keep up to ` +
        `${formatBytes(inFlightBytes)} of the budget. Sent by ${by.join(', ')}`,
      advice:
        'Adopt each ticket, also when the request that it belongs to has failed. A Channel gives back what nobody receives.',
      figures: { tickets, oldestMs: oldestTicketMs, inFlightBytes },
    });
  }
  if (retiredBytes > 0 || drops.retired > 0) {
    findings.push({
      id: 'retired',
      severity: retiredBytes > RETIRED_WARNING * maxBytes ? 'warning' : 'note',
      text: `${formatBytes(retiredBytes)} of the budget are lost for good: holders detached the ArrayBuffers of ${formatCount(drops.retired)} blocks`,
      advice:
        'Take back what a BYOB read returns: lease.reclaim(value). Give what else transfers its argument (ArrayBuffer.transfer, postMessage lists) a copy.',
      figures: { retiredBytes, retired: drops.retired, retiredShare: retiredBytes / maxBytes },
    });
  }
  return findings;
}

function budget(stats: PoolStats): Finding[] {
  const { exhausted, waits, maxBytes, peak, acquires, ageMs, holds } = stats;
  const { neededBytes } = little(stats);
  const known = acquires >= ENOUGH_ACQUIRES && holds.samples >= ENOUGH_HOLDS;
  const need = known
    ? `Rate x hold time x size x ${HEADROOM} comes to ${formatBytes(neededBytes)}`
    : 'Too little is known of hold times to say how much it needs';
  const figures = { maxBytes, peakResidentBytes: peak.residentBytes, ...(known ? { neededBytes } : {}) };
  if (exhausted > 0 || waits.total > 0) {
    const gaveUp = waits.timedOut + waits.aborted;
    const served = Math.max(1, waits.total - waits.waiting - gaveUp);
    const parts = [
      ...(exhausted > 0 ? [`${formatCount(exhausted)} acquires were refused`] : []),
      ...(waits.total > 0
        ? [
            `${formatCount(waits.total)} waited, ${formatDuration(waits.totalMs / served)} on the average, ${formatCount(gaveUp)} gave up`,
          ]
        : []),
    ];
    const fits = known && neededBytes <= maxBytes;
    return [
      {
        id: 'budget-too-small',
        severity: exhausted > 0 || gaveUp > 0 ? 'warning' : 'note',
        text: `the budget of ${formatBytes(maxBytes)} was full: ${parts.join('; ')}`,
        advice: fits
          ? `${need}, which is less: the load comes in bursts, or leases are held too long. Wait with acquireAsync().`
          : `${need}: raise maxBytes, or wait with acquireAsync().`,
        figures: { ...figures, exhausted, waits: waits.total, gaveUp, meanWaitMs: waits.totalMs / served },
      },
    ];
  }
  const judged = acquires >= ENOUGH_ACQUIRES && ageMs >= TOO_LARGE_AFTER_MS;
  if (!judged || peak.residentBytes >= TOO_LARGE * maxBytes) return [];
  const enough = Math.max(peak.residentBytes * HEADROOM, known ? neededBytes : 0);
  return [
    {
      id: 'budget-too-large',
      severity: 'note',
      text: `of the budget of ${formatBytes(maxBytes)} at most ${formatBytes(peak.residentBytes)} were resident so far`,
      advice: `${need}; maxBytes of ${formatBytes(enough)} would bound a fault that this one does not.`,
      figures: { ...figures, enoughBytes: Math.ceil(enough) },
    },
  ];
}

/** Whether the thread waits for what it holds itself: once every thread does, nobody is served any more. */
function waiting(stats: PoolStats): Finding[] {
  const { here: waiting } = stats.waits;
  const held = little(stats).held + stats.oversize.outstanding;
  if (waiting === 0 || held === 0) return [];
  return [
    {
      id: 'waits-for-itself',
      severity: 'note',
      text: `${formatCount(waiting)} requests of this thread wait while it holds ${formatCount(held)} leases itself`,
      advice:
        'A task that waits for a second lease while it holds one may wait for ever: let it take all it needs at once, or give it a timeout.',
      figures: { waiting, outstanding: held },
    },
  ];
}

function givenBack(stats: PoolStats): Finding[] {
  const { drops, peak, acquires } = stats;
  const handedOutBytes = handedOut(stats);
  // More than all of it, so that one quiet night is none; and so much that faults are a part of the work.
  const often = (bytes: number) =>
    acquires >= ENOUGH_ACQUIRES && bytes > 2 * peak.residentBytes && bytes > GIVEN_BACK * handedOutBytes;
  const findings: Finding[] = [];
  if (often(drops.decayBytes)) {
    findings.push({
      id: 'decay',
      severity: 'warning',
      text: `${formatBytes(drops.decayBytes)} went back to the system as unused, ${formatShare(drops.decayBytes / handedOutBytes)} of what was handed out: much of it was wanted again`,
      advice: 'Raise epochMs above half the time between two bursts.',
      figures: { decayBytes: drops.decayBytes, handedOutBytes, peakResidentBytes: peak.residentBytes },
    });
  }
  if (often(drops.exhaustedBytes)) {
    findings.push({
      id: 'evicted',
      severity: 'warning',
      text: `${formatBytes(drops.exhaustedBytes)} were given up by tiers to make room for others, ${formatShare(drops.exhaustedBytes / handedOutBytes)} of what was handed out`,
      advice: 'Raise maxBytes, or give sizes that come in turn the same tier.',
      figures: { exhaustedBytes: drops.exhaustedBytes, handedOutBytes, peakResidentBytes: peak.residentBytes },
    });
  }
  return findings;
}

function pressure({ pressure, maxBytes }: PoolStats): Finding[] {
  const { level, usedBytes, limitBytes, source } = pressure;
  if (source === 'none') return [];
  const state = `${formatBytes(usedBytes)} of ${formatBytes(limitBytes)} are in use (${source})`;
  const figures = { usedBytes, limitBytes, maxBytes };
  if (level !== 'none') {
    const text = `memory is short: ${state}, so the pool gives back early`;
    const advice = 'Lower maxBytes, or give the process more memory.';
    return [{ id: 'pressure', severity: 'warning', text, advice, figures }];
  }
  if (maxBytes <= HIGH * limitBytes) return [];
  return [
    {
      id: 'pressure',
      severity: 'note',
      text: `the budget of ${formatBytes(maxBytes)} alone is more than ${formatShare(HIGH)} of the memory there is: ${state}`,
      advice: "Lower maxBytes below that, less what V8's heap needs.",
      figures,
    },
  ];
}

/** The leases and bytes that Little's law explains, of this thread and of the pool, with this thread's hold times. */
function little(stats: PoolStats) {
  const { ageMs, threads, holds, acquires, outstanding } = stats;
  const here = threads.find((thread) => thread.here) ?? { acquires, outstanding };
  const holdMs = holds.totalMs / Math.max(1, holds.samples);
  const age = Math.max(1, ageMs);
  return {
    holdMs,
    held: here.outstanding,
    expected: (here.acquires / age) * holdMs,
    neededBytes: Math.ceil((handedOut(stats) / age) * holdMs * HEADROOM),
  };
}
