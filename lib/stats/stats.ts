import type { Step } from '../core/core.js';
import type { Backend } from '../core/loader.js';
import type { Pressure } from '../core/pressure.js';
import type { HoldStats, LeakStats } from './lease-stats.js';

/** Acquires by the place that served them, nearest first. A refill serves one acquire; the rest of its batch is magazine hits. */
export type Hits = Readonly<Record<'magazine' | Step, number>>;

/** One tier. `residentBytes == leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes`. */
export interface ClassStats {
  /** Bytes of a lease of this tier. */
  readonly capacity: number;
  /** Bytes of one of its blocks: the capacity, rounded up to the layout of its slabs. The budget is charged for whole pages. */
  readonly blockBytes: number;
  /** Bytes charged to the budget. */
  readonly residentBytes: number;
  /** Bytes of blocks that are leased. */
  readonly leasedBytes: number;
  /** Bytes of blocks that one thread has handed over and none has adopted yet. */
  readonly inFlightBytes: number;
  /** Bytes of free blocks that have memory: in magazines, depots and victims. */
  readonly cachedBytes: number;
  /** Cached bytes in magazines of threads. */
  readonly magazineBytes: number;
  /** Cached bytes unused for an epoch. The rest is in depots. */
  readonly victimBytes: number;
  /** Bytes of blocks of threads that died, which are free again after `epochMs`. */
  readonly quarantinedBytes: number;
  /** Bytes of blocks that are lost: holders detached their ArrayBuffers. */
  readonly retiredBytes: number;
  /** Free bytes of use to this tier only: on pages that cannot go back, since other blocks are in use on them. */
  readonly pinnedBytes: number;
  /** Bytes of address space that were carved but have no memory behind them now. */
  readonly coldBytes: number;
  /** The most bytes that were resident at once so far. */
  readonly peakResidentBytes: number;
  /** Slabs that were carved; 0 on the TypeScript core. */
  readonly slabs: number;
  /** Leases taken so far. */
  readonly acquires: number;
  /** Leases out now. */
  readonly outstanding: number;
  /** Acquires by the place that served them. */
  readonly hits: Hits;
}

/** Tickets of one thread. */
export interface Sender {
  /** The thread's number in the pool. */
  readonly thread: number;
  /** Whether it is the thread that asks. */
  readonly here: boolean;
  /** Tickets that nobody has adopted. */
  readonly tickets: number;
  /** Milliseconds since the oldest of them was made, about. */
  readonly oldestMs: number;
}

/** One thread that has the pool now. Counts include those of threads that had its number before. */
export interface ThreadStats {
  /** The thread's number in the pool, which the next thread takes over when this one is gone. */
  readonly thread: number;
  /** Whether it is the thread that asks. */
  readonly here: boolean;
  /** Pooled acquires so far, without those that waited. */
  readonly acquires: number;
  /** Pooled leases that the thread has out. */
  readonly outstanding: number;
  /** Bytes of the blocks of these leases. */
  readonly leasedBytes: number;
  /** Bytes of free blocks in the thread's magazines. */
  readonly magazineBytes: number;
  /** Pooled acquires by the place that served them. */
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
  /** What is pooled. */
  readonly kind: 'buffer';
  /** Name of the pool. */
  readonly name: string;
  /** Which core serves the pool. */
  readonly backend: Backend;
  /** Milliseconds since this thread made the pool, or attached to it. */
  readonly ageMs: number;
  /** Bytes of the budget. */
  readonly maxBytes: number;
  /** Bytes charged to the budget. */
  readonly residentBytes: number;
  /** Resident bytes of blocks that are leased. */
  readonly leasedBytes: number;
  /** Resident bytes of blocks that one thread has handed over and none has adopted yet. */
  readonly inFlightBytes: number;
  /** What was handed over and not received yet. */
  readonly inFlight: {
    /** Tickets that nobody has adopted. */
    readonly tickets: number;
    /** Milliseconds since the oldest ticket was made, about; 0 where there is none. */
    readonly oldestTicketMs: number;
    /** The threads that sent the tickets. */
    readonly senders: readonly Sender[];
    /** Messages in channels, and grants on their way to those who wait for budget. */
    readonly messages: number;
  };
  /** Resident bytes of free blocks: in magazines, depots and victims. */
  readonly cachedBytes: number;
  /** Cached bytes in magazines of threads. */
  readonly magazineBytes: number;
  /** Cached bytes unused for an epoch. The rest is in depots. */
  readonly victimBytes: number;
  /** Resident bytes of blocks of threads that died, which are free again after `epochMs`. */
  readonly quarantinedBytes: number;
  /** Resident bytes of blocks that are lost: holders detached their ArrayBuffers. */
  readonly retiredBytes: number;
  /** Free bytes of use to their tier only: on pages that cannot go back, since other blocks are in use on them. */
  readonly pinnedBytes: number;
  /** Bytes of address space that were carved but have no memory behind them now. */
  readonly coldBytes: number;
  /** The most at once so far. */
  readonly peak: {
    /** Bytes charged to the budget. */
    readonly residentBytes: number;
    /** Requests that waited for budget. */
    readonly waiting: number;
    /** Bytes of this thread's oversize leases. */
    readonly oversizeBytes: number;
  };
  /** Leases taken, oversize ones of this thread included. */
  readonly acquires: number;
  /** Leases out now, oversize ones of this thread included. */
  readonly outstanding: number;
  /** Pooled acquires by the place that served them. */
  readonly hits: Hits;
  /** Pooled acquires that found no block with memory: `cold` and `slab`. */
  readonly misses: number;
  /** Share of all acquires, oversize ones included, that neither `cold` nor `slab` nor the runtime had to serve; 1 before the first. */
  readonly hitRate: number;
  /** Acquires that the budget refused. */
  readonly exhausted: number;
  /** Requests of `acquireAsync()` and `borrowAsync()` that the pool could not serve at once. */
  readonly waits: {
    /** Requests that have waited or wait. */
    readonly total: number;
    /** Requests that wait now. */
    readonly waiting: number;
    /** Requests of this thread that wait now. */
    readonly here: number;
    /** Requests of this thread that gave up since their time was up. */
    readonly timedOut: number;
    /** Requests of this thread that gave up since their signal was aborted. */
    readonly aborted: number;
    /** Milliseconds that requests of this thread have waited until they were served, all together. */
    readonly totalMs: number;
  };
  /** What was given back to the operating system, or lost, and why. */
  readonly drops: {
    /** Bytes unused for two epochs. */
    readonly decayBytes: number;
    /** Bytes given back by `trim()`. */
    readonly trimBytes: number;
    /** Bytes given back to make room in the budget for another tier. */
    readonly exhaustedBytes: number;
    /** Bytes given back because memory was short. */
    readonly pressureBytes: number;
    /** System calls that giving back took. */
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
  readonly requests: readonly {
    /** Bytes. */
    readonly size: number;
    /** Requests. */
    readonly count: number;
  }[];
  /** How long tracked leases of this thread were out that have ended. */
  readonly holds: HoldStats;
  /** What the detection of leaks and of uses after the release has found. */
  readonly leaks: LeakStats & {
    /** With `debug` on: blocks that this thread found written to after their release. */
    readonly writtenAfterRelease: number;
  };
  /** What was seen of the system's memory within the last two seconds. */
  readonly pressure: Pressure;
  /** Requests of this thread above the largest tier. */
  readonly oversize: {
    /** The option `maxOversizeBytes`. */
    readonly maxBytes: number;
    /** Bytes of oversize leases that are out. */
    readonly leasedBytes: number;
    /** Oversize leases out now. */
    readonly outstanding: number;
    /** Oversize leases taken so far. */
    readonly acquires: number;
    /** Requests for which there was no room below `maxOversizeBytes`. */
    readonly refused: number;
  };
  /** Blocks that this thread has an ArrayBuffer for. */
  readonly mappedBlocks: number;
  /** Bytes that these ArrayBuffers cost V8 and Node; an estimate, and outside the budget. */
  readonly overheadBytes: number;
  /** The threads that have the pool now. */
  readonly threads: readonly ThreadStats[];
  /** The tiers, ascending. */
  readonly classes: readonly ClassStats[];
}
