import { Channel } from './channel.js';
import { Lease } from './lease.js';
import { Messages } from './messages.js';
import { BufferPool } from './pool.js';
import { ReceivedLease } from './received-lease.js';
import { ownMethods } from './trail.js';

export type { ChannelOptions } from './channel.js';
export { diagnose } from './diagnose.js';
export type { Diagnosis, Finding, Severity } from './diagnosis.js';
export { SlabPoolError, type SlabPoolErrorCode } from './errors.js';
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
export type { ChannelHandle, PoolHandle } from './handle.js';
export type { Lease } from './lease.js';
export type { BackendInfo } from './loader.js';
export type { Backend, BufferPoolOptions, DebugLevel } from './options.js';
export type { OnPressure, Pressure, PressureLevel } from './pressure.js';

export type { ClassStats, Hits, PoolStats, Sender, ThreadStats } from './stats.js';
export type { TrackedLease, TrackedLeasesOptions } from './tracker.js';
export type { WaitOptions } from './wait-options.js';
export { BufferPool, Channel, type ReceivedLease };

ownMethods(BufferPool, Channel, Lease, Messages, ReceivedLease);
