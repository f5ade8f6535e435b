import type { Bytes } from '../base/runtime.js';
import { SlabPoolError, type SlabPoolErrorCode } from '../errors.js';
import type { Core, CoreChannel, CoreClassStats } from './core.js';

/** What the addon exports (native/binding/addon.cc). */
export interface Addon {
  Pool: {
    new (
      onNotify: () => void,
      capacities: Uint32Array,
      maxBytes: number,
      epochMs: number,
      minBytes: number,
    ): NativePool;
    /** Joins a pool. All throw errors with codes: {@link addonError}. */
    new (onNotify: () => void, slot: number, serial: number): NativePool;
  };
  /** Absent where the runtime allows no external buffers. */
  exchange?: Uint32Array;
  Channel: {
    new (pool: NativePool, onNotify: (what: number) => void, capacity: number, holdOpen: boolean): CoreChannel;
    /** Joins a channel. */
    new (pool: NativePool, onNotify: (what: number) => void, slot: number, serial: number): CoreChannel;
  };
  /** The tag of each message that is sent or was received last. Absent like `exchange`. */
  tags?: Float64Array;
  detach(buffer: ArrayBuffer): void;
  /** How many offsets of `byte` between `from` and `end` are in `into` now: all, or as many as it has room for. */
  findAll(bytes: Uint8Array, from: number, end: number, byte: number, into: Uint32Array): number;
  /** Declares that this thread ends by itself: what it has sent is good for ever, in all its pools. */
  declareCleanExit(): void;
  /**
   * For tests: what says how short memory is (`/proc/meminfo`, cgroups) is read below this folder from now on, in the whole
   * process; `''` is the root.
   */
  setMemoryRoot(folder: string): void;
  /** Bytes: the system's, or what {@link setPageSize} says. */
  pageSize(): number;
  /** For tests, before the first pool of the process: pages count as larger than they are. A power of two, up to 64 KiB. */
  setPageSize(bytes: number): void;
  /** Whether cold blocks get their memory from one system call for many pages, instead of from a fault for each. */
  canPopulate(): boolean;
  /** For tests and benchmarks: whether they may, in the whole process. */
  setPopulating(on: boolean): void;
  /** Differs between copies of the addon in one process. */
  copyId: string;
  /** SHA-256 of the sources that it was built from. */
  sourceHash: string;
}

/** An addon on a runtime that allows external buffers. */
export type LoadedAddon = Addon & { exchange: Uint32Array; tags: Float64Array };

type Adapted = 'stats' | 'totals' | 'threads' | 'inFlight' | 'map' | 'listen' | 'trim' | 'requestFlush';
type Told = 'exchange' | 'address' | 'channels' | 'stableAddresses' | 'agesItself' | 'detach' | 'disown';
/** This thread's membership in a pool (native/binding/pool_binding.h). */
export interface NativePool extends Omit<Core, Told | Adapted> {
  /** Whether it was made with these. */
  isLike(capacities: Uint32Array, maxBytes: number): boolean;
  readonly slot: number;
  readonly serial: number;
  map(sizeClass: number, block: number): Bytes | number | undefined;
  detach(buffer: ArrayBuffer, block: number): void;
  trim(cause: number): number;
  /** Writes as many numbers per class as there are fields in {@link CoreClassStats}. */
  stats(into: Float64Array): void;
  totals(): Float64Array;
  threads(): Float64Array[];
  inFlight(): Float64Array[];
  requestFlush(what: number): void;
}

/** What the addon's constructors fail with, by the code of their error. */
const FAILURES: Readonly<Record<string, readonly [SlabPoolErrorCode, string]>> = {
  NO_MEMORY: ['ERR_SLABPOOL_OUT_OF_MEMORY', 'the system refuses the memory, or the address space, for it'],
  TOO_MANY_POOLS: [
    'ERR_SLABPOOL_LIMIT',
    'there are 4096 pools in this process, the most there can be: close() those that are done with',
  ],
  NO_SUCH_POOL: ['ERR_SLABPOOL_CLOSED', 'cannot attach: every thread that had the pool has closed it, or is gone'],
  TOO_MANY_THREADS: ['ERR_SLABPOOL_LIMIT', 'cannot attach: 4095 threads have the pool, the most there can be'],
  TOO_MANY_CHANNELS: [
    'ERR_SLABPOOL_LIMIT',
    'there are 4096 channels in this process, the most there can be: leave() those that are done with',
  ],
  NO_SUCH_CHANNEL: ['ERR_SLABPOOL_CHANNEL_CLOSED', 'no such channel: every thread that had it has left it, or is gone'],
  OTHER_POOL: ['ERR_SLABPOOL_INVALID_ARG', 'the channel is of another pool: attach it with a pool of the same handle'],
  TOO_MANY_ENDPOINTS: [
    'ERR_SLABPOOL_LIMIT',
    'the channel has 64 endpoints, the most there can be at once: leave() one',
  ],
};

/** The error of this package for one of the addon's. */
export function addonError(cause: unknown, pool: string, details?: Record<string, number>): SlabPoolError {
  const context = details === undefined ? { pool, cause } : { pool, cause, details };
  const known = FAILURES[(cause as NodeJS.ErrnoException).code ?? ''];
  return known === undefined
    ? new SlabPoolError('ERR_SLABPOOL_INTERNAL', `the addon failed: ${(cause as Error).message}`, context)
    : new SlabPoolError(...known, context);
}
