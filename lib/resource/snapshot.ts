import { now } from '../base/runtime.js';
import { takeLeaseStats } from '../stats/lease-stats.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import type { Resources } from './resources.js';

export function takeResourceStats<R>(pool: Resources<R>): ResourcePoolStats {
  const { options, checks, openings, closings, waiting, breaker, log } = pool;
  const { late, ...closed } = closings.counts;
  const { total, size, timedOut, aborted, totalMs } = waiting;
  return {
    kind: 'resource',
    name: pool.name,
    ageMs: now() - pool.since,
    maxSize: options.maxSize,
    minIdle: options.minIdle,
    size: pool.size,
    opening: openings.size,
    checking: checks.size,
    idle: pool.idle.size,
    used: pool.used,
    closing: closings.size,
    peak: { ...pool.peak },
    acquires: pool.acquires,
    uses: { ...pool.uses },
    waits: { total, waiting: size, timedOut, aborted, totalMs },
    refused: { ...pool.refused },
    opened: openings.opened,
    opens: { failed: openings.failed, late: late + closings.late, totalMs: openings.totalMs },
    checks: checks.total,
    closed,
    closeFailed: closings.failed,
    circuit: { state: breaker.circuit, trips: breaker.trips },
    ...takeLeaseStats(log, options),
  };
}
