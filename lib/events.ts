import { channel } from 'node:diagnostics_channel';
import type { Cause } from './core.js';
import type { Pressure } from './pressure.js';

/** This thread's refill found no block, and carved a slab: new address space, for one tier. */
export interface SlabCreateEvent {
  readonly pool: string;
  /** Bytes of the tier. */
  readonly capacity: number;
}

/** This thread gave memory back to the operating system. (What the janitor does by itself is in `stats().drops`.) */
export interface TrimEvent {
  readonly pool: string;
  readonly cause: Cause;
  readonly bytes: number;
}

/** The budget had no room: an acquire was refused, or began to wait. */
export interface ExhaustedEvent {
  readonly pool: string;
  /** Bytes of the tier. */
  readonly capacity: number;
  readonly maxBytes: number;
  /** Whether it waits. */
  readonly waits: boolean;
}

/** A request above the largest tier. */
export interface OversizeEvent {
  readonly pool: string;
  readonly size: number;
  /** Oversize bytes of this thread that are out then. */
  readonly outBytes: number;
  /** Whether there was room below `maxOversizeBytes`. */
  readonly served: boolean;
}

/** Memory is more or less short than when this thread looked before. */
export interface PressureEvent {
  readonly pool: string;
  readonly pressure: Pressure;
}

/** Channels of `node:diagnostics_channel`, all named `slabpool:...`. Nothing is published per acquire. */
export const events = {
  slabCreate: channel('slabpool:slab:create'),
  trim: channel('slabpool:trim'),
  exhausted: channel('slabpool:exhausted'),
  oversize: channel('slabpool:oversize'),
  pressure: channel('slabpool:pressure'),
} as const;
