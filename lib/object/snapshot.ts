import { now } from '../base/runtime.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import type { ObjectStore } from './object-store.js';

/** Puts a snapshot together. */
export function takeObjectStats<T extends object>(store: ObjectStore<T>): ObjectPoolStats {
  const outstanding = store.outstanding();
  const { name, since, options, idle, victims, log, misses, created, peak, dropped, drops, failures } = store;
  const { maxIdle, leakDetection, leakSampleRate } = options;
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
    maxIdle,
    outstanding,
    peak,
    dropped,
    drops: { ...drops },
    failures: { ...failures },
    holds: { ...log.holds },
    leaks: {
      detection: leakDetection,
      sampleRate: leakDetection === 'full' ? 1 : leakSampleRate,
      tracked: log.count,
      collected: log.collected,
    },
  };
}
