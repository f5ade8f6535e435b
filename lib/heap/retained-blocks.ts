import { Block } from '../lease/block.js';
import { Magazine } from '../lease/magazine.js';
import type { Heap } from './heap.js';

/** In the place of the size class of the magazine of shared blocks. */
const SHARED = -3;

interface Reading {
  readonly block: Block;
  leases: number;
}

/**
 * Buffers that several leases of this thread have (Netty's `retain()`). Each of these is an ordinary lease, over a stand-in for their
 * block that they share: so a release is checked as any other, and leases that nobody retained cost nothing more. A stand-in that all
 * have dropped is collected, and what it stands for with it.
 */
export class Readers {
  readonly #magazine: Magazine;
  readonly #readings = new WeakMap<Block, Reading>();

  constructor(heap: Heap) {
    this.#magazine = new Magazine(heap, SHARED, 0, 0, false);
  }

  /** One more lease is over `leased`: what both are over from now on. */
  retain(leased: Block): Block {
    const reading = this.#readings.get(leased);
    if (reading !== undefined) {
      reading.leases++;
      return leased;
    }
    const standIn = new Block(leased.bytes, -1, this.#magazine);
    this.#readings.set(standIn, { block: leased, leases: 2 });
    return standIn;
  }

  has(leased: Block): boolean {
    return leased.magazine === this.#magazine;
  }

  /** Leases over `leased`, which is shared. */
  count(leased: Block): number {
    return (this.#readings.get(leased) as Reading).leases;
  }

  /** The block of a lease: the one that a stand-in stands for, or itself. */
  blockOf(leased: Block): Block {
    return this.has(leased) ? (this.#readings.get(leased) as Reading).block : leased;
  }

  /** One of them ends: the block, if it was the last, which has to be put back. */
  end(standIn: Block): Block | null {
    const reading = this.#readings.get(standIn) as Reading;
    return --reading.leases === 0 ? reading.block : null;
  }
}
