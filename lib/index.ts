export { Channel, type ChannelHandle, type ChannelOptions, type ReceivedLease, type WaitOptions } from './channel.js';
export { SlabPoolError, type SlabPoolErrorCode } from './errors.js';
export type { PoolHandle } from './handle.js';
export type { Lease } from './lease.js';
export type { BackendInfo } from './loader.js';
export type { Backend, BufferPoolOptions } from './options.js';
export { BufferPool } from './pool.js';
export type { Pressure, PressureLevel } from './pressure.js';
export type { ClassStats, Hits, PoolStats, ThreadStats } from './stats.js';
