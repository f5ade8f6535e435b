import { SlabPoolError } from '../errors.js';
import { Block, Magazine, type MagazineOwner, RETAINED } from '../lease/magazine.js';

/** A buffer with more than one lease. */
interface Retained {
  readonly block: Block;
  leases: number;
}

/**
 * Retained blocks are those that several leases of this thread have (Netty's `retain()`).
 *
 * What       Each of these is an ordinary lease, released to a magazine that those of one block have in common: so a release
 *            is checked as any other, and leases that nobody retained cost nothing more.
 * Ownership  The leases have that magazine: if all of them are forgotten, it is collected, and what is known of it here.
 * Identity   A block goes back when as many leases have ended as were made of it.
 */
export class RetainedBlocks {
  readonly #owner: MagazineOwner;
  readonly #retained = new WeakMap<Magazine, Retained>();

  constructor(owner: MagazineOwner) {
    this.#owner = owner;
  }

  /** One more lease is over `leased`: what both are over from now on. */
  retain(leased: Block): Block {
    const retained = this.#retained.get(leased.magazine);
    if (retained !== undefined) {
      retained.leases++;
      return leased;
    }
    const own = new Magazine(this.#owner, RETAINED, leased.capacity, 0, false);
    this.#retained.set(own, { block: leased, leases: 2 });
    return new Block(leased.bytes, -1, own);
  }

  has(leased: Block): boolean {
    return leased.magazine.sizeClass === RETAINED;
  }

  /** Leases over `leased`, which is shared. */
  count(leased: Block): number {
    return (this.#retained.get(leased.magazine) as Retained).leases;
  }

  /** The block of a lease: the one that it shares, or its own. */
  blockOf(leased: Block): Block {
    return this.has(leased) ? (this.#retained.get(leased.magazine) as Retained).block : leased;
  }

  /** Ends one of the leases over `leased`. @returns the block, which has to be put back, if that was the last one */
  end(leased: Block): Block | null {
    const retained = this.#retained.get(leased.magazine) as Retained;
    return --retained.leases === 0 ? retained.block : null;
  }

  sharedError(leased: Block, what: 'handed over' | 'reclaimed'): SlabPoolError {
    return new SlabPoolError(
      'ERR_SLABPOOL_SHARED',
      `${this.count(leased)} leases have the buffer (retain()), so it cannot be ${what} before all but one are released`,
      { pool: this.#owner.name },
    );
  }
}
