import type { ClassStats, PoolStats } from 'slabpool';
import { BUFFER } from '../dist/cli/samples.js';
import { KiB, MiB } from './backends.js';

const { hits: HITS, classes } = BUFFER;

/** A tier of which nothing is known but what is given. */
export function tier(capacity: number, given: Partial<ClassStats> = {}): ClassStats {
  return { ...(classes[0] as ClassStats), capacity, blockBytes: capacity, ...given };
}

/** A pool that is healthy, and has nothing to say, but for what is given: 10,000 acquires of 64 KiB in its first ten seconds. */
export function sampleStats(given: Partial<PoolStats> = {}): PoolStats {
  return {
    ...BUFFER,
    name: 'sample',
    ageMs: 10_000,
    maxBytes: 16 * MiB,
    residentBytes: 4 * MiB,
    inFlight: { tickets: 0, oldestTicketMs: 0, senders: [], messages: 0 },
    cachedBytes: 4 * MiB,
    peak: { residentBytes: 4 * MiB, waiting: 0, oversizeBytes: 0 },
    acquires: 10_000,
    hits: { ...HITS, magazine: 9968, slab: 32 },
    misses: 32,
    hitRate: 0.9968,
    requests: [{ size: 64 * KiB, count: 10_000 }],
    holds: { samples: 100, totalMs: 200 },
    leaks: { detection: 'sampled', sampleRate: 4096, tracked: 0, collected: 0, writtenAfterRelease: 0 },
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
