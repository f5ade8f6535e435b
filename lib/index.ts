import { Channel } from './channel/channel.js';
import { Messages } from './channel/messages.js';
import { ReceivedLease } from './channel/received-lease.js';
import { Lease } from './lease/lease.js';
import { BufferPool } from './pool.js';
import { ownMethods } from './tracking/stack.js';

export type { WaitOptions } from './base/wait-options.js';
export type { ChannelOptions } from './channel/channel.js';
export type { ChannelHandle } from './channel/channel-handle.js';
export type { Cause, Step } from './core/core.js';
export type { Backend, BackendInfo } from './core/loader.js';
export type { Pressure, PressureLevel } from './core/pressure.js';
export { diagnose } from './diagnose/diagnose.js';
export type { Diagnosis, Finding, Severity } from './diagnose/diagnosis.js';
export { type ErrorDetails, SlabPoolError, type SlabPoolErrorCode } from './errors.js';
export type {
  ExhaustedEvent,
  LeakEvent,
  OversizeEvent,
  PressureEvent,
  SlabCreateEvent,
  Touch,
  TrimEvent,
  UseAfterReleaseEvent,
} from './events.js';
export type { PoolHandle } from './handle.js';
export type { Lease } from './lease/lease.js';
export type { BufferPoolOptions, DebugLevel } from './options.js';
export type { HoldStats, LeakStats } from './stats/lease-stats.js';
export type { ClassStats, Hits, PoolStats, Sender, ThreadStats } from './stats/stats.js';
export type { TrackedLease, TrackedLeasesOptions } from './tracking/lease-log.js';
export { BufferPool, Channel, type ReceivedLease };

ownMethods(BufferPool, Channel, Lease, Messages, ReceivedLease);
