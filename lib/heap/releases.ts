import { type Core, FLUSH_REQUESTED, WAITING } from '../core/core.js';
import type { EndedLease } from '../lease/ended-lease.js';
import { type Block, type Magazine, OVERSIZE, TRACKED } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Poison } from '../tracking/poison.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Notifications } from './notifications.js';
import type { Oversize } from './oversize.js';
import type { RetainedBlocks } from './retained-blocks.js';

/** What releases ask of the heap that they belong to. */
interface ReleasingHeap {
  readonly blocks: MappedBlocks;
  readonly oversize: Oversize;
  readonly poison: Poison | null;
  readonly notifications: Notifications;
  readonly retained: RetainedBlocks;
  readonly tracker: Tracker;
  readonly closed: boolean;
  endIfEmpty(): void;
}

/**
 * Releases take care of those released blocks that their magazines do not take by themselves.
 *
 * What      A block is wiped, poisoned or detached as options ask, and goes into its magazine or to the core; an
 *           oversize one is dropped, one whose ArrayBuffer was detached is retired, and of a tracked or shared lease the
 *           block is looked up. What the core answers is acted upon: others wait for budget, or this thread has a flush request.
 * Callers   `Magazine.put()`, by the heap; and whoever has a block that was never leased. One thread.
 */
export class Releases {
  readonly #heap: ReleasingHeap;
  readonly #core: Core;
  readonly #wipes: boolean;
  /** Whether views that were kept of a lease end with the lease. */
  readonly #detaches: boolean;

  constructor(heap: ReleasingHeap, core: Core, { zero, debug }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#wipes = zero === 'release';
    this.#detaches = debug === 'detach';
  }

  /**
   * Takes the block of a lease that has ended, or that was never made.
   * @returns what that lease has to remember, or null
   */
  put(block: Block): EndedLease | null {
    const { magazine } = block;
    if (magazine.sizeClass === TRACKED) return this.#putTracked(block);
    if (this.#heap.retained.has(block)) {
      const last = this.#heap.retained.end(block);
      return last === null ? null : this.put(last);
    }
    if (this.#heap.closed) {
      this.#putClosed(block);
      return null;
    }
    if (magazine.sizeClass === OVERSIZE) {
      this.#heap.oversize.drop(block);
      if (this.#detaches && block.bytes.length > 0) this.#core.detach(block.buffer);
      return null;
    }
    if (block.bytes.length !== magazine.capacity) {
      this.#heap.blocks.retire(magazine, block.index);
      return null;
    }
    if (this.#wipes) block.bytes.fill(0);
    this.#heap.poison?.fill(block);
    let answer: number;
    if (this.#detaches) {
      this.#heap.blocks.unmap(block.index, block.bytes);
      answer = this.#heap.blocks.giveBack(magazine, block.index);
    } else {
      answer = magazine.count < magazine.size ? 0 : this.#makeRoom(magazine);
      magazine.push(block);
      if (this.#heap.notifications.bypassed) answer = this.#heap.blocks.flushAll(magazine);
    }
    this.#heap.notifications.bypass((answer & WAITING) !== 0);
    if ((answer & FLUSH_REQUESTED) !== 0) this.#heap.notifications.comply();
    return null;
  }

  /** Takes the block of a lease that has outlived its pool: now the memory goes, too. */
  #putClosed(block: Block): void {
    const { magazine } = block;
    if (magazine.sizeClass === OVERSIZE) {
      this.#heap.oversize.drop(block);
    } else if (block.bytes.length !== magazine.capacity) {
      this.#heap.blocks.retire(magazine, block.index);
    } else {
      if (this.#wipes) block.bytes.fill(0);
      this.#heap.blocks.unmap(block.index, block.bytes);
      this.#heap.blocks.giveBack(magazine, block.index);
    }
    this.#heap.endIfEmpty();
  }

  #makeRoom(magazine: Magazine): number {
    // A thread that only releases has no use for free blocks: it keeps one batch at most, and none when that is full.
    return magazine.shrinks()
      ? this.#heap.blocks.flushAll(magazine)
      : this.#heap.blocks.flush(magazine, magazine.batch);
  }

  #putTracked(tracked: Block): EndedLease {
    const block = this.#heap.tracker.blockOf(tracked);
    const ended = this.#heap.tracker.end(tracked, 'released');
    this.put(block);
    this.#heap.poison?.remember(block, ended);
    return ended;
  }
}
