import type { Bytes } from '../base/runtime.js';
import { type Cause, COLD, type Core, DRAINING, EXHAUSTED, RECLAIMED, SLAB, STEP } from '../core/core.js';
import type { SlabPoolError } from '../errors.js';
import { type ExhaustedEvent, events, type Outbox, type SlabCreateEvent } from '../events.js';
import type { Block, Magazine } from '../lease/magazine.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Notifications } from './notifications.js';
import { refusal } from './refusal.js';
import type { Ticker } from './ticker.js';

const KIB = 1024;
/** There is a block. Whatever else a refill comes to is the core's reason, which is not above 0. */
const OK = 1;
/** All threads' magazines together may have room for one in so many bytes of the budget, beyond two batches each. */
const MAGAZINES_SHARE = 8;

/** What refills ask of the heap that they belong to. */
interface RefillingHeap {
  readonly name: string;
  readonly outbox: Outbox;
  readonly magazines: readonly Magazine[];
  readonly blocks: MappedBlocks;
  readonly tracker: Tracker;
  readonly notifications: Notifications;
  readonly ticker: Ticker;
  readonly hasEnded: boolean;
  flushAll(): void;
  noteTrim(cause: Cause, bytes: number): void;
  /** Lets subscribers know, and throws if one of them has ended the pool: then the block goes back. */
  publishOrThrow(block: Block | null): void;
  assertGiving(): void;
  endedError(): SlabPoolError;
}

/**
 * Refills bring blocks from the core into empty magazines, or find out why there are none.
 *
 * What      One refill takes one batch. Before the budget counts as exhausted, this thread's other magazines are
 *           flushed.
 * Callers   The heap, by acquires that find their magazine down to its low-water mark, and {@link BudgetWaiters}; off the hot path.
 * Identity  A batch of n adds n to `held` and n to `count`.
 */
export class Refills {
  readonly #heap: RefillingHeap;
  readonly #core: Core;
  readonly #maxBytes: number;
  /** Null until it is known in this epoch. */
  #shareBytes: number | null = null;

  constructor(heap: RefillingHeap, core: Core, maxBytes: number) {
    this.#heap = heap;
    this.#core = core;
    this.#maxBytes = maxBytes;
  }

  /** For a magazine that is down to its low-water mark: lowers that, or, if there is nothing, brings a batch from the core. */
  refill(magazine: Magazine): void {
    if (magazine.lower()) return;
    let status: number;
    try {
      status = this.#refill(magazine);
      if (status === OK) return;
    } catch (error) {
      magazine.uncount();
      throw error;
    }
    magazine.uncount();
    throw this.refusal(magazine, status);
  }

  /** Before an acquire: whether there is a block for it, on top of the magazine, or else the budget is exhausted. */
  stock(magazine: Magazine): boolean {
    for (;;) {
      const status = magazine.count > 0 ? OK : this.#refill(magazine);
      if (status !== OK) {
        this.#heap.publishOrThrow(null);
        if (status === EXHAUSTED) return false;
        throw this.refusal(magazine, status);
      }
      const block = magazine.pop();
      if (block.bytes.length === magazine.capacity) {
        magazine.push(block);
        return true;
      }
      this.#heap.blocks.retire(magazine, block.index);
    }
  }

  /** {@link OK}, and there is a block in the magazine; or why there is none. */
  #refill(magazine: Magazine): number {
    this.#heap.assertGiving();
    // Leases that this ends may be of this magazine.
    this.#heap.tracker.drain();
    if (magazine.count > 0) return OK;
    const core = this.#core;
    const { sizeClass, buffers, indices } = magazine;
    magazine.grow(magazine.overflowed && this.#mayEnlarge(magazine));
    this.#heap.ticker.start();
    const { exchange } = core;
    let count = core.refill(sizeClass);
    let given = exchange[RECLAIMED] as number;
    // What is in this thread's magazines is free as well, but out of the core's reach.
    if (count === EXHAUSTED && core.waiting === 0 && this.#heap.magazines.some(({ count }) => count > 0)) {
      this.#heap.flushAll();
      count = core.refill(sizeClass);
      given += exchange[RECLAIMED] as number;
    }
    this.#heap.noteTrim('exhausted', given * KIB);
    if (count <= 0) return count;

    const step = exchange[STEP] as number;
    magazine.reported++; // the core counts the one that is about to be leased
    try {
      // The core names the warmest block first: it becomes the top of the stack.
      for (let i = 0, to = count - 1; i < count; i++, to--) {
        const index = exchange[i] as number;
        buffers[to] = this.#heap.blocks.at(index, magazine);
        indices[to] = index;
      }
    } catch (error) {
      core.flush(sizeClass, count);
      throw error;
    }
    magazine.held += count;
    magazine.count = count;
    const block = magazine.pop();
    this.#heap.tracker.refilled(magazine, this.#shareOut(magazine, step));
    if (step === SLAB) this.noteSlab(magazine);
    this.#heap.publishOrThrow(block);
    magazine.push(block);
    return OK;
  }

  /** Whether there may be room for a batch more in a magazine that was flushed too soon. */
  #mayEnlarge({ batch, capacity }: Magazine): boolean {
    return this.#extra() + batch * capacity <= this.#share();
  }

  /** Bytes that there is room for in all of the thread's magazines beyond two batches each. */
  #extra(): number {
    return this.#heap.magazines.reduce((sum, { extraBytes }) => sum + extraBytes, 0);
  }

  /** Bytes of what that may be: a share of the budget, which the threads have in common. */
  #share(): number {
    this.#shareBytes ??= this.#maxBytes / MAGAZINES_SHARE / this.#core.threads().length;
    return this.#shareBytes;
  }

  /** Another epoch begins; `short` if memory is. Whether there is to be room for no more than two batches in each magazine. */
  turn(short: boolean): boolean {
    this.#shareBytes = short ? 0 : null;
    const extra = this.#extra();
    return extra > 0 && extra > this.#share();
  }

  /** The share of the budget that this tier's leases have; or that is resident, if no free block had memory. */
  #shareOut({ held, count, capacity }: Magazine, step: number): number {
    const bytes = step >= COLD ? this.#core.residentBytes : (held - count) * capacity;
    return bytes / this.#maxBytes;
  }

  noteSlab({ capacity }: Magazine): void {
    this.#heap.outbox.add(events.slabCreate, { pool: this.#heap.name, capacity } satisfies SlabCreateEvent);
  }

  /**
   * Another block for one that was just popped and is unfit to be leased: its ArrayBuffer was detached after its release, through a
   * view that somebody kept. Popped as well.
   */
  replace(magazine: Magazine): Bytes {
    let bytes: Bytes;
    do {
      this.#heap.blocks.retire(magazine, magazine.indices[magazine.count] as number);
      if (magazine.count <= magazine.floor) this.refill(magazine);
      bytes = magazine.buffers[--magazine.count] as Bytes;
    } while (bytes.length !== magazine.capacity);
    return bytes;
  }

  noteExhausted(capacity: number, waits: boolean): void {
    this.#heap.outbox.add(events.exhausted, {
      pool: this.#heap.name,
      capacity,
      maxBytes: this.#maxBytes,
      waits,
    } satisfies ExhaustedEvent);
  }

  refusal(magazine: Magazine, status: number): SlabPoolError {
    if (status === DRAINING) {
      this.#heap.notifications.giveNothing();
      return this.#heap.endedError();
    }
    if (status === EXHAUSTED) {
      this.#core.countRefusal();
      this.noteExhausted(magazine.capacity, false);
    }
    const error = this.whyNot(magazine, status);
    this.#heap.publishOrThrow(null);
    return error;
  }

  whyNot({ capacity }: Magazine, status: number): SlabPoolError {
    return refusal(this.#core, this.#heap.name, this.#maxBytes, capacity, status, () => this.#heap.hasEnded);
  }
}
