import { clearTimeout, setTimeout } from 'node:timers';
import { now, outside } from '../base/runtime.js';
import type { Core } from '../core/core.js';
import type { PressureLevel } from '../core/pressure.js';
import { events, type Outbox, type PressureEvent } from '../events.js';
import type { ResolvedOptions } from '../options.js';
import type { MappedBlocks } from './mapped-blocks.js';

/** Timers may be early by less than this, in milliseconds. */
const TIMER_SLACK = 1;
/** How often this thread asks how short memory is, in milliseconds. */
const LOOK_MS = 1000;
/** And how often in an epoch it looks for magazines that nothing is acquired from. */
const LOOKS = 4;
/** Chunks of mapped blocks that are looked through at once, and the milliseconds until the next ones are. */
export const SWEPT_AT_ONCE = 1;
const SWEEP_MS = 10;

/** What a ticker asks of the heap that it belongs to. */
interface TickingHeap {
  readonly name: string;
  readonly core: Core;
  readonly outbox: Outbox;
  readonly blocks: MappedBlocks;
  readonly closed: boolean;
  /** Whether there is anything left to look after. */
  readonly isWarm: boolean;
  flushIdle(): void;
  flushQuiet(all: boolean): void;
  publishCounters(): void;
  age(critical: boolean): void;
}

/**
 * A ticker decides when a thread looks after a pool that it has blocks of: at the end of an epoch, some times within it for
 * magazines that are idle, and at least once a second for how short memory is.
 *
 * What       An epoch is `epochMs`, or a quarter of that while memory is short; when that is critical, each look ends
 *            one. With an `epochMs` of 0 nothing is looked after.
 * Callers    Its timer; {@link catchUp} by a thread that blocks, whose timers do not run.
 * Ownership  The timer keeps neither the process nor the pool alive. It runs only while there is something to look
 *            after.
 */
export class Ticker {
  readonly #heap: TickingHeap;
  readonly #ms: number;
  #timer: NodeJS.Timeout | null = null;
  #began = 0;
  #tickDue = 0;
  /** What the last look found. */
  #level: PressureLevel = 'none';

  constructor(heap: TickingHeap, { epochMs }: ResolvedOptions) {
    this.#heap = heap;
    this.#ms = epochMs;
  }

  /** Starts ticking, unless it does already: there are blocks to look after. */
  start(): void {
    if (this.#timer !== null || this.#ms === 0) return;
    this.#began = now();
    this.#arm('none');
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Ticks if a tick is due, for a thread that blocks. */
  catchUp(): void {
    if (this.#timer === null || now() < this.#tickDue) return;
    clearTimeout(this.#timer);
    this.tick();
  }

  /** The next tick is at the end of the epoch, or before it at the next look; or very soon, if the last one left something to do. */
  #arm(level: PressureLevel): void {
    const at = now();
    // Below 0 if the level has just made the epoch shorter.
    const ends = Math.max(0, Math.ceil(this.#began + this.#length(level) - at));
    const look = Math.min(LOOK_MS, Math.ceil(this.#length(level) / LOOKS));
    const ms = this.#heap.blocks.sweeping ? SWEEP_MS : Math.min(ends, look);
    this.#tickDue = at + ms;
    // A pool that was dropped with a lease out is not to be kept by its own timer.
    const ticker = new WeakRef(this);
    this.#timer = outside(() => setTimeout(() => ticker.deref()?.tick(), ms).unref());
  }

  #length(level: PressureLevel): number {
    return level === 'none' ? this.#ms : this.#ms / 4;
  }

  tick(): void {
    this.#timer = null;
    const heap = this.#heap;
    if (heap.closed) return;
    if (heap.blocks.sweeping) {
      heap.blocks.sweep(SWEPT_AT_ONCE);
      this.#arm('none');
      return;
    }
    this.#turn(this.#look());
    heap.outbox.publish();
  }

  /** How short memory is. */
  #look(): PressureLevel {
    const pressure = this.#heap.core.pressure();
    if (pressure.level !== this.#level) {
      const { name: pool, outbox } = this.#heap;
      outbox.add(events.pressure, { pool, pressure } satisfies PressureEvent);
    }
    this.#level = pressure.level;
    return pressure.level;
  }

  #turn(level: PressureLevel): void {
    const heap = this.#heap;
    const critical = level === 'critical';
    const ends = critical || now() >= this.#began + this.#length(level) - TIMER_SLACK;
    if (ends) heap.flushQuiet(critical);
    else heap.flushIdle();
    heap.publishCounters();
    if (ends) {
      this.#began = now();
      heap.age(critical);
    }
    if (heap.isWarm) this.#arm(level);
  }
}
