import { now } from '../base/runtime.js';
import { takeLeaseStats } from '../stats/lease-stats.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import type { ObjectStore } from './object-store.js';

/** Puts a snapshot together. */
export function takeObjectStats<T extends object>(store: ObjectStore<T>): ObjectPoolStats {
  const outstanding = store.outstanding();
  const { name, since, options, idle, victims, log, misses, created, peak, dropped, drops, failures } = store;
  const { acquires } = idle;
  return {
    kind: 'object',
    name,
    ageMs: now() - since,
    acquires,
    hits: acquires - misses,
    misses,
    hitRate: acquires === 0 ? 1 : 1 - misses / acquires,
    created,
    idle: idle.count,
    victims,
    maxIdle: options.maxIdle,
    outstanding,
    peak,
    dropped,
    drops: { ...drops },
    failures: { ...failures },
    ...takeLeaseStats(log, options),
  };
}
