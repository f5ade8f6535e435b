import { ownMethods } from '../tracking/stack.js';
import { FailoverPool } from './failover-pool.js';
import { ResourceLease } from './resource-lease.js';
import { ResourcePool } from './resource-pool.js';
import { ShardedPool } from './sharded-pool.js';

export type { WaitOptions } from '../base/wait-options.js';
export type { Diagnosis, Finding, Severity } from '../diagnose/diagnosis.js';
export { type ErrorDetails, SlabPoolError, type SlabPoolErrorCode } from '../errors.js';
export type {
  CloseCause,
  LeakEvent,
  ResourceCircuitEvent,
  ResourceClosedEvent,
  ResourceMovedEvent,
  ResourceOpenedEvent,
  ResourceOpenFailedEvent,
  Touch,
} from '../events.js';
export type { HoldStats, LeakStats } from '../stats/lease-stats.js';
export type { Circuit, ClosedCounts, ResourcePoolStats } from '../stats/resource-stats.js';
export type { TrackedLease, TrackedLeasesOptions } from '../tracking/lease-log.js';
export type { FailoverPoolOptions, FailoverPoolStats } from './failover-pool.js';
export type { BreakerOptions, ResourcePoolOptions } from './options.js';
export type { ResourceLease } from './resource-lease.js';
export type { ShardedPoolOptions } from './sharded-pool.js';
export { FailoverPool, ResourcePool, ShardedPool };

ownMethods(ResourcePool, ResourceLease, ShardedPool, FailoverPool);
