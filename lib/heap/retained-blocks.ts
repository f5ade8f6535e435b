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
 * What       Each of these is an ordinary lease, over a proxy for the block that they share: so a release is checked as
 *            any other, and leases that nobody retained cost nothing more.
 * Ownership  The leases have the proxy, and the proxy what it stands for: if all leases are forgotten, both are
 *            collected.
 * Identity   A block goes back when as many leases have ended as were made of it.
 */
export class RetainedBlocks {
  readonly #owner: MagazineOwner;
  readonly #magazine: Magazine;
  readonly #retained = new WeakMap<Block, Retained>();

  constructor(owner: MagazineOwner) {
    this.#owner = owner;
    this.#magazine = new Magazine(owner, RETAINED, 0, 0, false);
  }

  /** One more lease is over `leased`: what both are over from now on. */
  retain(leased: Block): Block {
    const retained = this.#retained.get(leased);
    if (retained !== undefined) {
      retained.leases++;
      return leased;
    }
    const proxy = new Block(leased.bytes, -1, this.#magazine);
    this.#retained.set(proxy, { block: leased, leases: 2 });
    return proxy;
  }

  has(leased: Block): boolean {
    return leased.magazine === this.#magazine;
  }

  /** Leases over `leased`, which is shared. */
  count(leased: Block): number {
    return (this.#retained.get(leased) as Retained).leases;
  }

  /** The block of a lease: the one that a proxy stands for, or itself. */
  blockOf(leased: Block): Block {
    return this.has(leased) ? (this.#retained.get(leased) as Retained).block : leased;
  }

  /** Ends one of the leases over `proxy`. @returns the block, which has to be put back, if that was the last one */
  end(proxy: Block): Block | null {
    const retained = this.#retained.get(proxy) as Retained;
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
