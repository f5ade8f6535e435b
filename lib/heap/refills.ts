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
 * Callers   The heap, by acquires that find their magazine empty, and {@link BudgetWaiters}; off the hot path.
 * Identity  A batch of n adds n to `held` and n - 1 to `count`: one block is in the caller's hands, to be leased or put
 *           back.
 */
export class Refills {
  readonly #heap: RefillingHeap;
  readonly #core: Core;
  readonly #maxBytes: number;

  constructor(heap: RefillingHeap, core: Core, maxBytes: number) {
    this.#heap = heap;
    this.#core = core;
    this.#maxBytes = maxBytes;
  }

  /** A block from the core, which is in the caller's hands; the rest of its batch is in the magazine, which was empty. */
  refill(magazine: Magazine): Block {
    let found: Block | number;
    try {
      found = this.#refill(magazine);
      if (typeof found === 'object') return found;
    } catch (error) {
      magazine.uncount();
      throw error;
    }
    magazine.uncount();
    throw this.refusal(magazine, found);
  }

  /** Before an acquire: whether there is a block for it, on top of the magazine, or else the budget is exhausted. */
  stock(magazine: Magazine): boolean {
    for (;;) {
      if (magazine.count === 0) {
        const found = this.#refill(magazine);
        if (typeof found === 'number') {
          this.#heap.publishOrThrow(null);
          if (found === EXHAUSTED) return false;
          throw this.refusal(magazine, found);
        }
        magazine.blocks[magazine.count++] = found;
      }
      const top = magazine.blocks[magazine.count - 1] as Block;
      if (top.bytes.length === magazine.capacity) return true;
      magazine.count--;
      this.#heap.blocks.retire(magazine, top.index);
    }
  }

  /** A block, or why there is none. */
  #refill(magazine: Magazine): Block | number {
    this.#heap.assertGiving();
    // Leases that this ends may be of this magazine.
    this.#heap.tracker.drain();
    if (magazine.count > 0) return magazine.blocks[--magazine.count] as Block;
    const core = this.#core;
    const { sizeClass, blocks } = magazine;
    magazine.grow();
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
      for (let i = 0; i < count; i++) blocks[count - 1 - i] = this.#heap.blocks.at(exchange[i] as number, magazine);
    } catch (error) {
      core.flush(sizeClass, count);
      throw error;
    }
    magazine.held += count;
    magazine.count = count - 1;
    const block = blocks[count - 1] as Block;
    this.#heap.tracker.refilled(magazine, this.#shareOut(magazine, step));
    if (step === SLAB) this.noteSlab(magazine);
    this.#heap.publishOrThrow(block);
    return block;
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
   * Another block for one that is unfit to be leased: its ArrayBuffer was detached after its release, through a view that
   * somebody kept.
   */
  replace(magazine: Magazine, unfit: Block): Block {
    let block = unfit;
    do {
      this.#heap.blocks.retire(magazine, block.index);
      block = magazine.count > 0 ? (magazine.blocks[--magazine.count] as Block) : this.refill(magazine);
    } while (block.bytes.length !== magazine.capacity);
    return block;
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
