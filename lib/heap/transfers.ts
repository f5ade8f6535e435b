import { CLASSES, type Core, SIZES, STALE } from '../core/core.js';
import { internal, invalidArg, SlabPoolError } from '../errors.js';
import type { EndedLease } from '../lease/ended-lease.js';
import { Block, type Magazine, OVERSIZE, TRACKED } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Poison } from '../tracking/poison.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { RetainedBlocks } from './retained-blocks.js';
import type { Ticker } from './ticker.js';

/** What hand-overs ask of the heap that they belong to. */
interface TransfersHeap {
  readonly magazines: readonly Magazine[];
  readonly blocks: MappedBlocks;
  readonly tracker: Tracker;
  readonly retained: RetainedBlocks;
  readonly poison: Poison | null;
  readonly ticker: Ticker;
  assertOpen(): void;
}

/**
 * Transfers are how blocks leave this thread, and come to it: by tickets and channels, and as grants to those who wait
 * for budget.
 *
 * What       Finds the block behind a lease that is to leave, or refuses it; maps blocks that have come, and has some
 *            tracked.
 * Callers    The heap (tickets), `Transport` (messages), `BudgetWaiters` (grants). One thread.
 * Ownership  A block that the core has accepted is nobody's until it is adopted or received: `left()` takes it off this
 *            thread's books afterwards, and must follow each transfer that succeeds.
 * Identity   `held` of a magazine falls by one with each block that leaves and rises by one with each that comes.
 */
export class Transfers {
  readonly #heap: TransfersHeap;
  readonly #blocks: MappedBlocks;
  readonly #tracker: Tracker;
  readonly #ticker: Ticker;
  readonly #core: Core;
  readonly #pool: string;
  readonly #zeroes: boolean;
  /** Whether views that were kept of a lease end with the lease. */
  readonly #detaches: boolean;

  constructor(heap: TransfersHeap, core: Core, { name, zero, debug }: ResolvedOptions) {
    this.#heap = heap;
    this.#blocks = heap.blocks;
    this.#tracker = heap.tracker;
    this.#ticker = heap.ticker;
    this.#core = core;
    this.#pool = name;
    this.#zeroes = zero === 'acquire';
    this.#detaches = debug === 'detach';
  }

  /** Hands the block over, with `size` of its bytes used. @returns the ticket */
  transfer(block: Block, size: number): number {
    const { magazine, index } = this.movable(block);
    return this.#blocks.sure('transfer', this.#core.transfer(magazine.sizeClass, index, size), magazine, index);
  }

  /** The block behind a leased one, if it can leave this thread. @throws why it cannot */
  movable(leased: Block): Block {
    this.#heap.assertOpen();
    const block = leased.magazine.sizeClass === TRACKED ? this.#tracker.blockOf(leased) : leased;
    return block.index < 0 || block.bytes.length !== block.capacity ? this.#onlyLease(block) : block;
  }

  /** The block of a buffer that several leases had, and one has. */
  #onlyLease(block: Block): Block {
    const { retained } = this.#heap;
    if (!retained.has(block) || retained.count(block) > 1) this.#immovable(block);
    return this.movable(retained.blockOf(block));
  }

  #immovable(block: Block): never {
    const { retained } = this.#heap;
    if (retained.has(block)) throw retained.sharedError(block, 'handed over');
    if (block.magazine.sizeClass === OVERSIZE) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_OVERSIZE',
        'an oversize lease has no block to hand over. Post its ArrayBuffer with postMessage(value, [lease.buffer]) and ' +
          'release the lease then, or raise maxPooledSize',
        { pool: this.#pool },
      );
    }
    throw new SlabPoolError('ERR_SLABPOOL_DETACHED', "the lease's ArrayBuffer was detached: release it instead", {
      pool: this.#pool,
    });
  }

  /** A leased block has left this thread: what its lease has to remember, or null. */
  left(block: Block): EndedLease | null {
    // What follows is kept small, for V8 to inline it: hand-overs take a tenth longer otherwise.
    if (block.magazine.sizeClass < OVERSIZE || this.#detaches) return this.#leftSlow(block);
    block.magazine.held--;
    return null;
  }

  #leftSlow(leased: Block): EndedLease | null {
    const { retained, tracker, blocks } = this.#heap;
    const block = retained.blockOf(leased);
    const itself = tracker.blockOf(block);
    itself.magazine.held--;
    if (this.#detaches) blocks.unmap(itself.index, itself.bytes);
    return block.magazine.sizeClass === TRACKED ? tracker.end(block, 'handed over') : null;
  }

  /** The block of a ticket, which is now this thread's. */
  adopt(ticket: number): Block {
    this.#heap.assertOpen();
    if (!Number.isSafeInteger(ticket) || ticket < 0) {
      throw invalidArg('adopt(ticket)', 'a number that lease.transfer() returned', ticket, this.#pool);
    }
    const answer = this.#core.adopt(ticket);
    if (answer === STALE) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_STALE_TICKET',
        `ticket ${ticket} is good for nothing: each is adopted once, by a pool that shares the handle of the one it is from`,
        { pool: this.#pool, details: { ticket } },
      );
    }
    if (answer !== 0) throw internal('adopt', answer, { ticket }, this.#pool);
    return this.received(0);
  }

  /** A block that another thread has handed over: number `at` in `exchange`. For a lease of {@link sizeOf}. */
  received(at: number): Block {
    const block = this.#arrived(at);
    return --this.#tracker.untilReceived > 0 ? block : this.#tracker.received(block, this.sizeOf(at));
  }

  /** How many bytes its sender used of a block that was {@link received}. */
  sizeOf(at: number): number {
    return this.#core.exchange[SIZES + at] as number;
  }

  /** A block that was waited for: the first in `exchange`. For a lease, as an acquire leaves it. */
  granted(size: number): Block {
    const { tracker, poison } = this.#heap;
    const block = this.#arrived(0);
    poison?.check(block);
    if (this.#zeroes) block.bytes.fill(0);
    tracker.requests.add(size, 1);
    return --tracker.untilReceived > 0 ? block : tracker.received(block, size);
  }

  /** A block that the core has just given to this thread: number `at` in `exchange`. */
  #arrived(at: number): Block {
    const { exchange } = this.#core;
    const index = exchange[at] as number;
    const magazine = this.#heap.magazines[exchange[CLASSES + at] as number] as Magazine;
    magazine.held++;
    this.#ticker.start();
    const bytes = this.#blocks.received(index, magazine);
    if (bytes.length === magazine.capacity) return new Block(bytes, index, magazine);
    this.#blocks.retire(magazine, index);
    throw new SlabPoolError(
      'ERR_SLABPOOL_DETACHED',
      'the ArrayBuffer was detached on its way, through a view that was kept',
      { pool: this.#pool },
    );
  }
}
