import { type Core, FLUSH_REQUESTED, WAITING } from '../core/core.js';
import type { EndedLease } from '../lease/ended-lease.js';
import type { Block, Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Poison } from '../tracking/poison.js';
import { isTrackingProxy, type Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Oversize } from './oversize.js';
import type { Requests } from './requests.js';
import type { RetainedBlocks } from './retained-blocks.js';

interface ReleasingHeap {
  readonly blocks: MappedBlocks;
  readonly oversize: Oversize;
  readonly poison: Poison | null;
  readonly requests: Requests;
  readonly retained: RetainedBlocks;
  readonly tracker: Tracker;
  readonly closed: boolean;
  endIfEmpty(): void;
}

/** What becomes of a released block that its magazine does not take by itself. */
export class Releases {
  readonly #heap: ReleasingHeap;
  readonly #core: Core;
  readonly #wipes: boolean;
  /** Views that were kept of a lease end with it. */
  readonly #detaches: boolean;

  constructor(heap: ReleasingHeap, core: Core, { zero, debug }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#wipes = zero === 'release';
    this.#detaches = debug === 'detach';
  }

  /** The block of a lease that has ended, or that was never made. What its lease has to remember, or null. */
  put(magazine: Magazine, block: Block): EndedLease | null {
    if (isTrackingProxy(block)) return this.#putTracked(block);
    if (this.#heap.retained.has(block)) {
      const last = this.#heap.retained.end(block);
      return last === null ? null : this.put(last.magazine, last);
    }
    if (this.#heap.closed) {
      this.#putClosed(magazine, block);
      return null;
    }
    if (magazine === this.#heap.oversize.magazine) {
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
      this.#heap.blocks.unmap(block);
      answer = this.#heap.blocks.giveBack(magazine, block.index);
    } else {
      answer = magazine.count < magazine.size ? 0 : this.#makeRoom(magazine);
      magazine.blocks[magazine.count++] = block;
      if (this.#heap.requests.bypassed) answer = this.#heap.blocks.flushAll(magazine);
    }
    this.#heap.requests.bypass((answer & WAITING) !== 0);
    if ((answer & FLUSH_REQUESTED) !== 0) this.#heap.requests.comply();
    return null;
  }

  /** A lease ends after its pool: now its memory goes, too. */
  #putClosed(magazine: Magazine, block: Block): void {
    if (magazine === this.#heap.oversize.magazine) {
      this.#heap.oversize.drop(block);
    } else if (block.bytes.length !== magazine.capacity) {
      this.#heap.blocks.retire(magazine, block.index);
    } else {
      if (this.#wipes) block.bytes.fill(0);
      this.#heap.blocks.unmap(block);
      this.#heap.blocks.giveBack(magazine, block.index);
    }
    this.#heap.endIfEmpty();
  }

  #makeRoom(magazine: Magazine): number {
    // Of no use to a thread that only releases: it keeps one batch at most, and none of it when that is full.
    return magazine.shrinks()
      ? this.#heap.blocks.flushAll(magazine)
      : this.#heap.blocks.flush(magazine, magazine.batch);
  }

  #putTracked(proxy: Block): EndedLease {
    const block = this.#heap.tracker.blockOf(proxy);
    const ended = this.#heap.tracker.end(proxy, 'released');
    this.put(block.magazine, block);
    this.#heap.poison?.remember(block, ended);
    return ended;
  }
}
