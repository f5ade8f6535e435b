import { now } from '../base/clock.js';
import { type CoreInFlight, STEPS, type Step } from '../core/core.js';
import type { Pressure } from '../core/pressure.js';
import type { Heap } from '../heap/heap.js';
import type { Backend, ResolvedOptions } from '../options.js';

/** Bytes that V8 and Node spend on one mapped block: its ArrayBuffer, its Buffer and what frees them (measured, Node 20). */
const OVERHEAD_PER_MAPPED_BLOCK = 880;

/** Acquires by the place that served them, nearest first. A refill serves one acquire; the rest of its batch is magazine hits. */
export type Hits = Readonly<Record<'magazine' | Step, number>>;

/** One tier. `residentBytes == leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes`. */
export interface ClassStats {
  /** Bytes of a lease of this tier. */
  readonly capacity: number;
  /** Bytes of one of its blocks: the capacity, rounded up to the layout of its slabs. The budget is charged for whole pages. */
  readonly blockBytes: number;
  readonly residentBytes: number;
  readonly leasedBytes: number;
  readonly inFlightBytes: number;
  readonly cachedBytes: number;
  /** Of the cached ones, those in magazines of threads. */
  readonly magazineBytes: number;
  /** Of the cached ones, those unused for an epoch. The rest is in depots. */
  readonly victimBytes: number;
  readonly quarantinedBytes: number;
  readonly retiredBytes: number;
  /** Free, but of use to this tier only: on pages that cannot go back, since other blocks of the tier are in use on them. */
  readonly pinnedBytes: number;
  /** Address space without memory behind it. */
  readonly coldBytes: number;
  /** The most that were resident at once so far. */
  readonly peakResidentBytes: number;
  readonly slabs: number;
  readonly acquires: number;
  readonly outstanding: number;
  readonly hits: Hits;
}

/** Tickets of one thread. */
export interface Sender {
  /** Its number in the pool. */
  readonly thread: number;
  /** Whether it is the one that asks. */
  readonly here: boolean;
  readonly tickets: number;
  /** Milliseconds, about. */
  readonly oldestMs: number;
}

/** One thread that has the pool now. Counts include those of threads that had its number before. */
export interface ThreadStats {
  /** Its number in the pool, which the next thread takes over when it is gone. */
  readonly thread: number;
  /** Whether it is the one that asks. */
  readonly here: boolean;
  /** Pooled ones, without those that waited. */
  readonly acquires: number;
  /** Pooled leases that it has out. */
  readonly outstanding: number;
  readonly leasedBytes: number;
  readonly magazineBytes: number;
  readonly hits: Hits;
}

/**
 * A snapshot of a pool, of all threads that have it, unless "this thread" is said. What other threads acquired or put into their
 * magazines within the last second (with an `epochMs` of 0: since their last `stats()`) is not in it yet.
 *
 * `residentBytes <= maxBytes` at every moment, and
 * `residentBytes == leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes` while no other thread moves blocks.
 */
export interface PoolStats {
  readonly name: string;
  readonly backend: Backend;
  /** Milliseconds since this thread made the pool, or attached to it. */
  readonly ageMs: number;
  /** Bytes of the budget. */
  readonly maxBytes: number;
  /** Bytes charged to the budget. */
  readonly residentBytes: number;
  /** Of these, leased. */
  readonly leasedBytes: number;
  /** Of these, handed over by one thread and not yet adopted by another. */
  readonly inFlightBytes: number;
  /** Of what was handed over: tickets that nobody has adopted, and who sent them; and messages in channels, and grants on their way. */
  readonly inFlight: {
    readonly tickets: number;
    /** Milliseconds, about; 0 where there is none. */
    readonly oldestTicketMs: number;
    readonly senders: readonly Sender[];
    readonly messages: number;
  };
  /** Of these, free: in magazines, depots and victims. */
  readonly cachedBytes: number;
  /** Of the cached ones, those in magazines of threads. */
  readonly magazineBytes: number;
  /** Of the cached ones, those unused for an epoch. The rest is in depots. */
  readonly victimBytes: number;
  /** Of the resident ones, held by threads that died, and free again after `epochMs`. */
  readonly quarantinedBytes: number;
  /** Of these, lost: their ArrayBuffers were detached by holders. */
  readonly retiredBytes: number;
  /** Of these, free, but of use to their tier only: on pages that cannot go back, since other blocks are in use on them. */
  readonly pinnedBytes: number;
  /** Bytes of address space that were carved but have no memory behind them now. */
  readonly coldBytes: number;
  /** The most so far. */
  readonly peak: {
    readonly residentBytes: number;
    readonly waiting: number;
    /** Of this thread. */
    readonly oversizeBytes: number;
  };
  /** Leases taken, oversize ones of this thread included. */
  readonly acquires: number;
  /** Leases out now, oversize ones of this thread included. */
  readonly outstanding: number;
  readonly hits: Hits;
  /** Pooled acquires that found no block with memory: `cold` and `slab`. */
  readonly misses: number;
  /** Share of all acquires, oversize ones included, that neither `cold` nor `slab` nor the runtime had to serve; 1 before the first. */
  readonly hitRate: number;
  /** Acquires that the budget refused. */
  readonly exhausted: number;
  /** Of `acquireAsync()`. */
  readonly waits: {
    /** Those that have waited or wait. */
    readonly total: number;
    readonly waiting: number;
    /** Of those that wait, this thread's. */
    readonly here: number;
    /** Of this thread, those that gave up: their time was up, or they were aborted. */
    readonly timedOut: number;
    readonly aborted: number;
    /** Milliseconds that those of this thread that were served have waited, all together. */
    readonly totalMs: number;
  };
  /** What was given back to the operating system, or lost, and why. */
  readonly drops: {
    /** Unused for two epochs. */
    readonly decayBytes: number;
    /** By `trim()`. */
    readonly trimBytes: number;
    /** To make room in the budget for another tier. */
    readonly exhaustedBytes: number;
    /** Because memory was short. */
    readonly pressureBytes: number;
    /** System calls that these took. */
    readonly calls: number;
    /** Oversize leases of this thread that were released. */
    readonly oversize: number;
    /** Blocks whose ArrayBuffers were detached by holders. */
    readonly retired: number;
  };
  /**
   * Requests of this thread by size, ascending: `count` of them asked for at most `size` bytes, and more than the entry before.
   * Four to sixteen entries per doubling. Estimated: the first 64 of a tier are counted, later ones sampled; oversize ones are counted.
   */
  readonly requests: readonly { readonly size: number; readonly count: number }[];
  /** How long leases of this thread were out: those that were tracked. */
  readonly holds: { readonly samples: number; readonly totalMs: number };
  readonly leaks: {
    readonly detection: 'off' | 'sampled' | 'full';
    /** One in so many is tracked. */
    readonly sampleRate: number;
    /** Leases of this thread that are out and tracked. */
    readonly tracked: number;
    /** Tracked leases of this thread that were collected without a release. */
    readonly collected: number;
    /** With `debug` on: blocks that this thread found written to after their release. */
    readonly writtenAfterRelease: number;
  };
  /** What was seen of the system's memory within the last two seconds. */
  readonly pressure: Pressure;
  /** Of this thread. */
  readonly oversize: {
    readonly maxBytes: number;
    readonly leasedBytes: number;
    readonly outstanding: number;
    readonly acquires: number;
    readonly refused: number;
  };
  /** Blocks that this thread has an ArrayBuffer for. */
  readonly mappedBlocks: number;
  /** What these cost V8 and Node, in bytes; an estimate, and outside the budget. */
  readonly overheadBytes: number;
  readonly threads: readonly ThreadStats[];
  readonly classes: readonly ClassStats[];
}

export function takeStats(
  heap: Heap,
  backend: Backend,
  { name, maxBytes, maxOversizeBytes, leakDetection, leakSampleRate }: ResolvedOptions,
): PoolStats {
  heap.tracker.drain();
  heap.tell();
  const { core, oversize, waiting, tracker } = heap;
  const rows = core.stats();
  const totals = core.totals();

  const classes = rows.map((row, c): ClassStats => {
    const { carved, resident, inFlight, quarantined, retired, slabs, victim, acquires, stride } = row;
    const { residentBytes, pinnedBytes, peakResidentBytes } = row;
    const cached = Math.min(row.cached, row.held);
    // The core counts as held what is in magazines too.
    const leased = row.held - cached;
    const free = Math.max(0, resident - row.held - inFlight - quarantined - retired);
    return {
      capacity: heap.magazines[c]?.capacity as number,
      blockBytes: stride,
      residentBytes,
      leasedBytes: leased * stride,
      inFlightBytes: inFlight * stride,
      cachedBytes: (cached + free) * stride,
      magazineBytes: cached * stride,
      victimBytes: Math.min(victim, free) * stride,
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
  // The budget's own figure: tiers that are read one after the other may count a block's memory twice.
  const { residentBytes } = core;
  const leasedBytes = sum((k) => k.leasedBytes);
  const inFlightBytes = sum((k) => k.inFlightBytes);
  const quarantinedBytes = sum((k) => k.quarantinedBytes);
  const retiredBytes = sum((k) => k.retiredBytes);
  const pinnedBytes = sum((k) => k.pinnedBytes);
  const [decayBytes, trimBytes, exhaustedBytes, pressureBytes] = totals.dropped as [number, number, number, number];
  return {
    name,
    backend,
    ageMs: now() - heap.since,
    maxBytes,
    residentBytes,
    leasedBytes,
    inFlightBytes,
    inFlight: inFlightOf(inFlightBytes === 0 ? [] : core.inFlight()),
    cachedBytes: Math.max(
      0,
      residentBytes - leasedBytes - inFlightBytes - quarantinedBytes - retiredBytes - pinnedBytes,
    ),
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
      total: totals.waits + waiting.oversize,
      waiting: totals.waiting + waiting.forOversize,
      here: waiting.size,
      timedOut: waiting.timedOut,
      aborted: waiting.aborted,
      totalMs: waiting.totalMs,
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
    holds: { ...tracker.holds },
    leaks: {
      detection: leakDetection,
      sampleRate: leakDetection === 'full' ? 1 : leakSampleRate,
      tracked: tracker.count,
      collected: tracker.collected,
      writtenAfterRelease: heap.poison?.writes ?? 0,
    },
    pressure: heap.core.pressure(),
    oversize: {
      maxBytes: maxOversizeBytes,
      leasedBytes: oversize.leasedBytes,
      outstanding: oversize.count,
      acquires: oversize.magazine.acquires,
      refused: oversize.refused,
    },
    mappedBlocks: heap.mapped,
    overheadBytes: heap.mapped * OVERHEAD_PER_MAPPED_BLOCK,
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
