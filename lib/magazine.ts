import type { Block } from './block.js';
import type { Heap } from './heap.js';

/**
 * This thread's freelist of one class (J. Bonwick, "Magazines and Vmem", USENIX 2001): the only thing that acquire and
 * release touch as long as it is neither empty nor full. Two batches long: a full one flushes its cold half.
 *
 * Identity: `held` (blocks that the core counts as out with this thread) == `count` + blocks that are leased.
 */
export class Magazine {
  readonly capacity: number;
  /** Index of the class in the core. */
  readonly sizeClass: number;
  readonly heap: Heap;
  /** The next larger tier. */
  next: Magazine | null = null;
  /** A stack: the first `count` elements; the last one was released last and is the warmest. */
  readonly blocks: Block[] = [];
  count = 0;
  held = 0;
  /** Blocks in a full batch. The magazine holds two. */
  readonly batch: number;
  /** How far {@link put} fills the stack by itself; 0 where each release needs the slow path. */
  limit: number;
  /** Leases taken. Minus zero is a double: counting on from 2^31 then changes no representation, so deoptimises nothing. */
  acquires = -0;

  constructor(heap: Heap, sizeClass: number, capacity: number, batch: number, limit: number) {
    this.heap = heap;
    this.sizeClass = sizeClass;
    this.capacity = capacity;
    this.batch = batch;
    this.limit = limit;
  }

  put(block: Block): void {
    // A detached ArrayBuffer shows as a length of 0.
    if (this.count < this.limit && block.bytes.length === this.capacity) {
      this.blocks[this.count++] = block;
    } else {
      this.heap.putSlow(this, block);
    }
  }
}
