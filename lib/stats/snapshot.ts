import { now } from '../base/runtime.js';
import { type CoreInFlight, type Figures, STEPS, type Step } from '../core/core.js';
import type { Backend } from '../core/loader.js';
import type { Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import { takeLeaseStats } from './lease-stats.js';
import type { ClassStats, Hits, PoolStats, Sender } from './stats.js';

/** A stats source has the figures of a thread: a `Heap`. */
export interface StatsSource {
  readonly core: Figures;
  readonly since: number;
  readonly magazines: readonly Magazine[];
  readonly blocks: { readonly size: number };
  readonly oversize: {
    readonly magazine: Magazine;
    readonly count: number;
    readonly dropped: number;
    readonly leasedBytes: number;
    readonly peakBytes: number;
    readonly refused: number;
  };
  readonly waiters: {
    readonly size: number;
    readonly forOversize: number;
    readonly oversize: number;
    readonly timedOut: number;
    readonly aborted: number;
    readonly totalMs: number;
  };
  readonly tracker: {
    readonly requests: { entries(): PoolStats['requests'] };
    readonly log: { readonly holds: PoolStats['holds']; readonly count: number; readonly collected: number };
    drain(): void;
  };
  readonly poison: { readonly writes: number } | null;
  publishCounters(): void;
}

/** Bytes that V8 and Node spend on one mapped block: its ArrayBuffer, its Buffer and what frees them (measured, Node 20). */
const OVERHEAD_PER_MAPPED_BLOCK = 880;

/** Puts a snapshot together, of the core's figures and of this thread's. */
export function takeStats(heap: StatsSource, backend: Backend, options: ResolvedOptions): PoolStats {
  heap.tracker.drain();
  heap.publishCounters();
  const { core, oversize, waiters, tracker } = heap;
  const { name, maxBytes, maxOversizeBytes } = options;
  const { holds, leaks } = takeLeaseStats(tracker.log, options);
  const rows = core.stats();
  const totals = core.totals();

  const classes = rows.map((row, c): ClassStats => {
    const { carved, resident, held, inFlight, quarantined, retired, slabs, victim, acquires, stride } = row;
    const { pinnedBytes, peakResidentBytes } = row;
    const cached = Math.min(row.cached, held);
    // The core counts as held what is in magazines too.
    const leased = held - cached;
    // Its figures are read one after the other: what was given back or taken meanwhile is still, or already, in the sum.
    const usedBytes = (held + inFlight + quarantined + retired) * stride + pinnedBytes;
    const residentBytes = Math.max(row.residentBytes, usedBytes);
    const freeBytes = residentBytes - usedBytes;
    return {
      capacity: heap.magazines[c]?.capacity as number,
      blockBytes: stride,
      residentBytes,
      leasedBytes: leased * stride,
      inFlightBytes: inFlight * stride,
      cachedBytes: cached * stride + freeBytes,
      magazineBytes: cached * stride,
      victimBytes: Math.min(victim * stride, freeBytes),
      quarantinedBytes: quarantined * stride,
      retiredBytes: retired * stride,
      pinnedBytes,
      coldBytes: Math.max(0, carved - resident) * stride,
      peakResidentBytes,
      slabs,
      acquires,
      outstanding: leased,
      hits: hitsOf(acquires, row.refills),
    };
  });
  const sum = (figure: (k: ClassStats) => number) => classes.reduce((total, k) => total + figure(k), 0);

  const pooled = sum((k) => k.acquires);
  const hits = hitsOf(
    pooled,
    STEPS.map((_, i) => rows.reduce((total, { refills }) => total + (refills[i] as number), 0)),
  );
  const acquires = pooled + oversize.magazine.acquires;
  const misses = hits.cold + hits.slab;
  const leasedBytes = sum((k) => k.leasedBytes);
  const inFlightBytes = sum((k) => k.inFlightBytes);
  const quarantinedBytes = sum((k) => k.quarantinedBytes);
  const retiredBytes = sum((k) => k.retiredBytes);
  const pinnedBytes = sum((k) => k.pinnedBytes);
  const usedBytes = leasedBytes + inFlightBytes + quarantinedBytes + retiredBytes + pinnedBytes;
  // The budget's own figure, since tiers may count a block's memory twice; but no less than what was in use when they were read.
  const residentBytes = Math.min(maxBytes, Math.max(core.residentBytes, usedBytes));
  const [decayBytes, trimBytes, exhaustedBytes, pressureBytes] = totals.dropped as [number, number, number, number];
  return {
    kind: 'buffer',
    name,
    backend,
    ageMs: now() - heap.since,
    maxBytes,
    residentBytes,
    leasedBytes,
    inFlightBytes,
    inFlight: inFlightOf(inFlightBytes === 0 ? [] : core.inFlight()),
    cachedBytes: Math.max(0, residentBytes - usedBytes),
    magazineBytes: sum((k) => k.magazineBytes),
    victimBytes: sum((k) => k.victimBytes),
    quarantinedBytes,
    retiredBytes,
    pinnedBytes,
    coldBytes: sum((k) => k.coldBytes),
    peak: {
      residentBytes: totals.peakResidentBytes,
      waiting: totals.peakWaiting,
      oversizeBytes: oversize.peakBytes,
    },
    acquires,
    outstanding: sum((k) => k.outstanding) + oversize.count,
    hits,
    misses,
    hitRate: acquires === 0 ? 1 : (pooled - misses) / acquires,
    exhausted: totals.refused,
    waits: {
      total: totals.waits + waiters.oversize,
      waiting: totals.waiting + waiters.forOversize,
      here: waiters.size,
      timedOut: waiters.timedOut,
      aborted: waiters.aborted,
      totalMs: waiters.totalMs,
    },
    drops: {
      decayBytes,
      trimBytes,
      exhaustedBytes,
      pressureBytes,
      calls: totals.dropCalls,
      oversize: oversize.dropped,
      retired: rows.reduce((total, { retired }) => total + retired, 0),
    },
    requests: tracker.requests.entries(),
    holds,
    leaks: { ...leaks, writtenAfterRelease: heap.poison?.writes ?? 0 },
    pressure: heap.core.pressure(),
    oversize: {
      maxBytes: maxOversizeBytes,
      leasedBytes: oversize.leasedBytes,
      outstanding: oversize.count,
      acquires: oversize.magazine.acquires,
      refused: oversize.refused,
    },
    mappedBlocks: heap.blocks.size,
    overheadBytes: heap.blocks.size * OVERHEAD_PER_MAPPED_BLOCK,
    threads: core.threads().map(({ index, here, acquires, held, heldBytes, cached, cachedBytes, refills }) => ({
      thread: index,
      here,
      acquires,
      outstanding: held - cached,
      leasedBytes: heldBytes - cachedBytes,
      magazineBytes: cachedBytes,
      hits: hitsOf(acquires, refills),
    })),
    classes,
  };
}

function inFlightOf(all: readonly CoreInFlight[]): PoolStats['inFlight'] {
  const senders = all
    .filter(({ sender }) => sender >= 0)
    .map(({ sender, here, count, oldestMs }): Sender => ({ thread: sender, here, tickets: count, oldestMs }));
  return {
    tickets: senders.reduce((sum, { tickets }) => sum + tickets, 0),
    oldestTicketMs: senders.reduce((oldest, { oldestMs }) => Math.max(oldest, oldestMs), 0),
    senders,
    messages: all.reduce((sum, { sender, count }) => sum + (sender < 0 ? count : 0), 0),
  };
}

function hitsOf(acquires: number, refills: readonly number[]): Hits {
  const served = Object.fromEntries(STEPS.map((step, i) => [step, refills[i]])) as Record<Step, number>;
  // More refills than acquires: some brought only blocks that had been detached meanwhile, or are not reported yet.
  return { magazine: Math.max(0, acquires - refills.reduce((total, n) => total + n, 0)), ...served };
}
