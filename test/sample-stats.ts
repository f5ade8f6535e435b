import type { ClassStats, PoolStats } from 'slabpool';
import { KiB, MiB } from './backends.js';

const HITS = { magazine: 0, depot: 0, steal: 0, victim: 0, cold: 0, slab: 0 };

/** A tier of which nothing is known but what is given. */
export function tier(capacity: number, given: Partial<ClassStats> = {}): ClassStats {
  return {
    capacity,
    blockBytes: capacity,
    residentBytes: 0,
    leasedBytes: 0,
    inFlightBytes: 0,
    cachedBytes: 0,
    magazineBytes: 0,
    victimBytes: 0,
    quarantinedBytes: 0,
    retiredBytes: 0,
    pinnedBytes: 0,
    coldBytes: 0,
    peakResidentBytes: 0,
    slabs: 0,
    acquires: 0,
    outstanding: 0,
    hits: HITS,
    ...given,
  };
}

/** A pool that is healthy, and has nothing to say, but for what is given: 10,000 acquires of 64 KiB in its first ten seconds. */
export function sampleStats(given: Partial<PoolStats> = {}): PoolStats {
  return {
    kind: 'buffer',
    name: 'sample',
    backend: 'native',
    ageMs: 10_000,
    maxBytes: 16 * MiB,
    residentBytes: 4 * MiB,
    leasedBytes: 0,
    inFlightBytes: 0,
    inFlight: { tickets: 0, oldestTicketMs: 0, senders: [], messages: 0 },
    cachedBytes: 4 * MiB,
    magazineBytes: 0,
    victimBytes: 0,
    quarantinedBytes: 0,
    retiredBytes: 0,
    pinnedBytes: 0,
    coldBytes: 0,
    peak: { residentBytes: 4 * MiB, waiting: 0, oversizeBytes: 0 },
    acquires: 10_000,
    outstanding: 0,
    hits: { ...HITS, magazine: 9968, slab: 32 },
    misses: 32,
    hitRate: 0.9968,
    exhausted: 0,
    waits: { total: 0, waiting: 0, here: 0, timedOut: 0, aborted: 0, totalMs: 0 },
    drops: { decayBytes: 0, trimBytes: 0, exhaustedBytes: 0, pressureBytes: 0, calls: 0, oversize: 0, retired: 0 },
    requests: [{ size: 64 * KiB, count: 10_000 }],
    holds: { samples: 100, totalMs: 200 },
    leaks: { detection: 'sampled', sampleRate: 4096, tracked: 0, collected: 0, writtenAfterRelease: 0 },
    pressure: { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 },
    oversize: { maxBytes: 64 * MiB, leasedBytes: 0, outstanding: 0, acquires: 0, refused: 0 },
    mappedBlocks: 64,
    overheadBytes: 64 * 880,
    threads: [
      { thread: 0, here: true, acquires: 10_000, outstanding: 0, leasedBytes: 0, magazineBytes: 0, hits: HITS },
    ],
    classes: [tier(64 * KiB, { residentBytes: 4 * MiB, acquires: 10_000 })],
    ...given,
  };
}
