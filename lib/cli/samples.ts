import type { AnyPoolStats } from '../metrics/observable-pool.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import type { PoolStats } from '../stats/stats.js';
import type { WorkerPoolStats } from '../stats/worker-stats.js';

const HITS = { magazine: 0, depot: 0, steal: 0, victim: 0, cold: 0, slab: 0 };

/** What a tier has, and the pool as a whole. */
const TIER_AND_POOL = {
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
  acquires: 0,
  outstanding: 0,
  hits: HITS,
};

/** A sample of the stats of a buffer pool. */
export const BUFFER: PoolStats = {
  kind: 'buffer',
  name: '',
  backend: 'native',
  ageMs: 0,
  maxBytes: 0,
  ...TIER_AND_POOL,
  inFlight: {
    tickets: 0,
    oldestTicketMs: 0,
    senders: [{ thread: 0, here: false, tickets: 0, oldestMs: 0 }],
    messages: 0,
  },
  peak: { residentBytes: 0, waiting: 0, oversizeBytes: 0 },
  misses: 0,
  hitRate: 0,
  exhausted: 0,
  waits: { total: 0, waiting: 0, here: 0, timedOut: 0, aborted: 0, totalMs: 0 },
  drops: { decayBytes: 0, trimBytes: 0, exhaustedBytes: 0, pressureBytes: 0, calls: 0, oversize: 0, retired: 0 },
  requests: [{ size: 0, count: 0 }],
  holds: { samples: 0, totalMs: 0 },
  leaks: { detection: 'off', sampleRate: 0, tracked: 0, collected: 0, writtenAfterRelease: 0 },
  pressure: { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 },
  oversize: { maxBytes: 0, leasedBytes: 0, outstanding: 0, acquires: 0, refused: 0 },
  mappedBlocks: 0,
  overheadBytes: 0,
  threads: [{ thread: 0, here: true, acquires: 0, outstanding: 0, leasedBytes: 0, magazineBytes: 0, hits: HITS }],
  classes: [
    {
      capacity: 0,
      blockBytes: 0,
      ...TIER_AND_POOL,
      peakResidentBytes: 0,
      slabs: 0,
    },
  ],
};

const OBJECT: ObjectPoolStats = {
  kind: 'object',
  name: '',
  ageMs: 0,
  acquires: 0,
  hits: 0,
  misses: 0,
  hitRate: 0,
  created: 0,
  idle: 0,
  victims: 0,
  maxIdle: 0,
  outstanding: 0,
  peak: 0,
  dropped: 0,
  drops: { decayed: 0, trimmed: 0, full: 0, vetoed: 0, failed: 0, closed: 0 },
  failures: { create: 0, reset: 0, keep: 0, destroy: 0 },
  holds: { samples: 0, totalMs: 0 },
  leaks: { detection: 'off', sampleRate: 0, tracked: 0, collected: 0 },
};

const RESOURCE: ResourcePoolStats = {
  kind: 'resource',
  name: '',
  ageMs: 0,
  maxSize: 0,
  minIdle: 0,
  size: 0,
  opening: 0,
  checking: 0,
  idle: 0,
  used: 0,
  closing: 0,
  peak: { used: 0, waiting: 0 },
  acquires: 0,
  uses: { count: 0, totalMs: 0 },
  waits: { total: 0, waiting: 0, timedOut: 0, aborted: 0, totalMs: 0 },
  refused: { exhausted: 0, queueFull: 0, circuitOpen: 0, openFailed: 0 },
  opened: 0,
  opens: { failed: 0, late: 0, totalMs: 0 },
  checks: 0,
  closed: { lifetime: 0, idle: 0, check: 0, destroyed: 0, leaked: 0, trimmed: 0, closed: 0 },
  closeFailed: 0,
  circuit: { state: 'closed', trips: 0 },
  holds: { samples: 0, totalMs: 0 },
  leaks: { detection: 'off', sampleRate: 0, tracked: 0, collected: 0 },
};

const DURATIONS = { mean: 0, p50: 0, p99: 0, max: 0 };

const WORKER: WorkerPoolStats = {
  kind: 'worker',
  name: '',
  ageMs: 0,
  minThreads: 0,
  maxThreads: 0,
  maxQueue: 0,
  threads: 0,
  jobs: 0,
  queued: 0,
  running: 0,
  completed: 0,
  failed: 0,
  timedOut: 0,
  aborted: 0,
  producersWaiting: 0,
  deaths: 0,
  utilization: 0,
  waitMs: DURATIONS,
  runMs: DURATIONS,
};

/** Samples of stats of each kind: for each field one value of its type, in each array one element. */
export const SAMPLES: readonly AnyPoolStats[] = [BUFFER, OBJECT, RESOURCE, WORKER];
