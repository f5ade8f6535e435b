import type { Step } from '../core/core.js';
import type { Backend } from '../core/loader.js';
import type { Pressure } from '../core/pressure.js';

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
