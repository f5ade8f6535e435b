/** `slabpool/object`: a pool of objects that can be used again, under the contract of leases. */

import { ownMethods } from '../tracking/stack.js';
import { ObjectLease } from './object-lease.js';
import { ObjectPool } from './object-pool.js';

export type { Diagnosis, Finding, Severity } from '../diagnose/diagnosis.js';
export { type ErrorDetails, SlabPoolError, type SlabPoolErrorCode } from '../errors.js';
export type { DestroyFailedEvent, LeakEvent, Touch } from '../events.js';
export type { HoldStats, LeakStats } from '../stats/lease-stats.js';
export type { ObjectPoolStats } from '../stats/object-stats.js';
export type { TrackedLease, TrackedLeasesOptions } from '../tracking/lease-log.js';
export { type Clearable, clear } from './clear.js';
export type { ObjectLease } from './object-lease.js';
export type { ObjectPoolOptions } from './options.js';
export { ObjectPool };

ownMethods(ObjectPool, ObjectLease);
