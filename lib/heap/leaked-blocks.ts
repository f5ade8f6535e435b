import { type Finalizer, watch } from '../base/finalization.js';
import type { Core } from '../core/core.js';
import type { Outbox } from '../events.js';
import { Block, type Magazine, OVERSIZE } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { MappedBlocks } from './mapped-blocks.js';

/** What leaked blocks ask of the heap that they belong to. */
interface LeakingHeap {
  readonly outbox: Outbox;
  readonly blocks: MappedBlocks;
  readonly closed: boolean;
  putBack(block: Block): void;
  endIfEmpty(): void;
}

/**
 * Leaked blocks are those of leases that were collected unreleased. Somebody may still have their bytes, or the system
 * may be writing to them: so each is reclaimed when its ArrayBuffer is collected as well, and gets a new one then.
 *
 * What       Puts each back where free blocks are when nobody can have its bytes any more.
 * Callers    The tracker, when it hears of a collected lease; {@link watch}; the ticker, once an
 *            epoch.
 * Ownership  The block's ArrayBuffer is referred to weakly, and by nobody of this package besides:
 *            {@link MappedBlocks.disown}.
 * Identity   A leaked block counts as held, so as leased, until it is reclaimed or retired.
 */
export class LeakedBlocks implements Finalizer<number> {
  readonly #heap: LeakingHeap;
  readonly #core: Core;
  /** Whether the bytes of a reclaimed block are the core's own, and to be wiped or poisoned. */
  readonly #wipes: boolean;
  readonly #blocks = new Map<number, { magazine: Magazine; buffer: WeakRef<ArrayBuffer> }>();

  constructor(heap: LeakingHeap, core: Core, { zero, debug }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#wipes = core.stableAddresses && (zero === 'release' || debug !== 'off');
  }

  /** The lease of this block was collected unreleased. */
  add(block: Block): void {
    const { magazine, index, buffer } = block;
    if (magazine.sizeClass === OVERSIZE) return; // `Oversize` watches the ArrayBuffers of all of its own.
    if (block.bytes.length !== magazine.capacity) {
      this.#heap.blocks.retire(magazine, index);
      return;
    }
    this.#heap.blocks.disown(block);
    // What is above the top of the stack still refers to blocks that have left it.
    magazine.forgetOthers();
    this.#blocks.set(index, { magazine, buffer: new WeakRef(buffer) });
    watch(buffer, this, index, buffer);
  }

  /** Takes a block back whose bytes nobody has any more. */
  finalize(index: number): void {
    const leaked = this.#blocks.get(index);
    if (leaked === undefined) return; // Retired, or the pool was closed.
    this.#blocks.delete(index);
    const { magazine } = leaked;
    const { blocks, closed, outbox } = this.#heap;
    if (this.#wipes && !closed) this.#heap.putBack(new Block(blocks.at(index, magazine), index, magazine));
    else blocks.giveBack(magazine, index);
    this.#heap.endIfEmpty();
    outbox.publish();
  }

  /** Retires leaked blocks whose holders detached the ArrayBuffers; nobody can tell that of one that is collected. */
  retireDetached(): void {
    // Where a block loses its address, its memory went with the ArrayBuffer.
    if (!this.#core.stableAddresses) return;
    for (const [index, { magazine, buffer }] of this.#blocks) {
      if (buffer.deref()?.byteLength !== 0) continue;
      this.#blocks.delete(index);
      this.#heap.blocks.retire(magazine, index);
    }
  }
}
