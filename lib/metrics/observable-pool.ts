import type { ObjectPoolStats } from '../stats/object-stats.js';
import type { ResourcePoolStats } from '../stats/resource-stats.js';
import type { PoolStats } from '../stats/stats.js';
import type { WorkerPoolStats } from '../stats/worker-stats.js';

/** The stats of a pool of any kind, which its field `kind` tells. */
export type AnyPoolStats = PoolStats | ObjectPoolStats | ResourcePoolStats | WorkerPoolStats;

/** As errors call it. */
export const POOL = 'a BufferPool, ObjectPool, ResourcePool or WorkerPool';

/** A pool of any kind. */
export interface ObservablePool {
  /** What the pool is called in its metrics. */
  readonly name: string;
  /** A snapshot. @throws `ERR_SLABPOOL_CLOSED` */
  stats(): AnyPoolStats;
}
