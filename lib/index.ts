export { Channel, type ChannelHandle, type ChannelOptions, type ReceivedLease, type WaitOptions } from './channel.js';
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
export type { PoolHandle } from './handle.js';
export type { Lease } from './lease.js';
export type { BackendInfo } from './loader.js';
export type { Backend, BufferPoolOptions, WhenExhausted } from './options.js';
export { BufferPool } from './pool.js';
export type { OnPressure, Pressure, PressureLevel } from './pressure.js';
export type { ClassStats, Hits, PoolStats, ThreadStats } from './stats.js';
export type { TrackedLease, TrackedLeasesOptions } from './tracker.js';
export type { AcquireOptions } from './waiting.js';
