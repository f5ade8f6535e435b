import { type Channel, channel } from 'node:diagnostics_channel';
import type { Cause } from './core/core.js';
import type { Pressure } from './core/pressure.js';

/** This thread's refill found no block, and carved a slab: new address space, for one tier. */
export interface SlabCreateEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Bytes of the tier. */
  readonly capacity: number;
}

/** This thread gave memory back to the operating system. (What the janitor does by itself is in `stats().drops`.) */
export interface TrimEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Why it was given back. */
  readonly cause: Cause;
  /** Bytes that were given back. */
  readonly bytes: number;
}

/** The budget had no room: an acquire was refused, or began to wait. */
export interface ExhaustedEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Bytes of the tier. */
  readonly capacity: number;
  /** Bytes of the budget. */
  readonly maxBytes: number;
  /** Whether the request waits. */
  readonly waits: boolean;
}

/** A request above the largest tier. */
export interface OversizeEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Bytes that were asked for. */
  readonly size: number;
  /** Bytes of this thread's oversize leases, with this one if it was served. */
  readonly leasedBytes: number;
  /** Whether there was room below `maxOversizeBytes`. */
  readonly served: boolean;
}

/** Memory is more or less short than when this thread looked before. */
export interface PressureEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** What this look has found. */
  readonly pressure: Pressure;
}

/** A lease was collected by the garbage collector without having been released. */
export interface LeakEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Where it was acquired: the innermost frame that is not of this package. */
  readonly site: string;
  /** The frames from there on, one a line. */
  readonly stack: string;
  /** Leaks of this site in this thread so far. The object is published once; later leaks of the site raise this. */
  readonly count: number;
  /** Bytes that were asked for; 0 in pools of anything but buffers. */
  readonly size: number;
  /** Bytes of the tier; 0 in pools of anything but buffers. */
  readonly capacity: number;
  /** Milliseconds from the acquire until the collection was noticed. */
  readonly ageMs: number;
  /** `threadId` of the worker, 0 for the main thread. */
  readonly thread: number;
  /** The latest calls of `touch()`, at most 8. */
  readonly touches: readonly Touch[];
}

/** One call of `lease.touch()`. */
export interface Touch {
  /** What was passed; `''` by default. */
  readonly hint: string;
  /** Milliseconds since the acquire. */
  readonly atMs: number;
  /** The caller's frames, one a line; with `leakDetection: 'full'` only. */
  readonly stack?: string;
}

/** With `debug` on: a block was written to after its release. */
export interface UseAfterReleaseEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Index of the first byte that was written to. */
  readonly offset: number;
  /** Bytes from there up to the last one that was written to. */
  readonly length: number;
  /** Bytes of the tier. */
  readonly capacity: number;
  /** Where the last lease of the block was acquired, if that lease was tracked in this thread. */
  readonly acquiredAt: string | undefined;
  /** Where the last lease of the block was released, if that lease was tracked in this thread. */
  readonly releasedAt: string | undefined;
  /** `threadId` of the worker that noticed, 0 for the main thread. */
  readonly thread: number;
}

/** What ends an object of a pool has thrown. The pool has forgotten the object all the same. */
export interface DestroyFailedEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** What was thrown. */
  readonly error: unknown;
}

/** Why a resource is closed. */
export type CloseCause =
  /** It is as old as it may be (`maxLifetimeMs`). */
  | 'lifetime'
  /** It was idle for as long as it may be (`maxIdleMs`). */
  | 'idle'
  /** `check` returned false, threw, rejected, or took too long. */
  | 'check'
  /** `lease.destroy()` */
  | 'destroyed'
  /** Its lease was collected by the garbage collector without having been released. */
  | 'leaked'
  /** `pool.trim()` */
  | 'trimmed'
  /** It was opened when its opening had been given up (`openTimeoutMs`). Such a one is not in any other figure. */
  | 'late'
  /** The pool is closed. */
  | 'closed';

/** A resource was opened. */
export interface ResourceOpenedEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Milliseconds that `open` took. */
  readonly openMs: number;
  /** Calls of `open` that this took: 1, or more where some failed before. */
  readonly attempts: number;
}

/** A resource was closed, or its `close` was given up. */
export interface ResourceClosedEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** Why it was closed. */
  readonly why: CloseCause;
  /** What was passed to `lease.destroy()`, or what `check` threw or rejected with. */
  readonly reason: unknown;
  /** Milliseconds since it was opened. */
  readonly ageMs: number;
  /** What `close` threw or rejected with, or that it took too long; undefined where it did neither. */
  readonly error: unknown;
}

/** A call of `open` failed. */
export interface ResourceOpenFailedEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** What it threw or rejected with, or that it took too long. */
  readonly error: unknown;
  /** The how many-eth call for this resource: from 1. */
  readonly attempt: number;
  /** Milliseconds until the next one; undefined where that was the last one. */
  readonly retryMs: number | undefined;
}

/** The circuit breaker of a pool of resources has changed its state. */
export interface ResourceCircuitEvent {
  /** Name of the pool. */
  readonly pool: string;
  /** `'open'`: nothing is opened. `'half-open'`: one is, to see. `'closed'`: as usual. */
  readonly circuit: 'closed' | 'open' | 'half-open';
  /** The failure that opened it; undefined where it closes. */
  readonly error: unknown;
}

/** A failover pool has moved to its other pool. */
export interface ResourceMovedEvent {
  /** Name of the failover pool. */
  readonly pool: string;
  /** Where leases come from, from now on. */
  readonly active: 'primary' | 'spare';
  /** The failure that was one too many; undefined where it moves back. */
  readonly error: unknown;
}

/** Channels of `node:diagnostics_channel`, all named `slabpool:...`. Nothing is published per acquire. */
export const events = {
  slabCreate: channel('slabpool:slab:create'),
  trim: channel('slabpool:trim'),
  exhausted: channel('slabpool:exhausted'),
  oversize: channel('slabpool:oversize'),
  pressure: channel('slabpool:pressure'),
  leak: channel('slabpool:leak'),
  useAfterRelease: channel('slabpool:use-after-release'),
  destroyFailed: channel('slabpool:destroy-failed'),
  resourceOpened: channel('slabpool:resource:opened'),
  resourceClosed: channel('slabpool:resource:closed'),
  resourceOpenFailed: channel('slabpool:resource:open-failed'),
  resourceCircuit: channel('slabpool:resource:circuit'),
  resourceMoved: channel('slabpool:resource:moved'),
} as const;

/**
 * An outbox keeps what happened in a pool until its state machine is at rest: only then may subscribers be called,
 * since they may do anything, also close the pool. It is emptied at the end of each public call, of each callback of
 * the runtime, and whenever a block is on its way to a lease.
 */
export class Outbox {
  readonly #queue: [Channel, object][] = [];

  add(to: Channel, message: object): void {
    if (to.hasSubscribers) this.#queue.push([to, message]);
  }

  /** Publishes what is kept. The pool may be closed afterwards. */
  publish(): void {
    // A subscriber that uses the pool comes here, too.
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next[0].publish(next[1]);
  }
}
