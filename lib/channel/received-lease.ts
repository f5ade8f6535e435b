import type { Block } from '../lease/block.js';
import { Lease } from '../lease/lease.js';

/** A lease that came through a {@link Channel}, of the size of the one that was sent, with the two numbers that were sent along. */
export class ReceivedLease extends Lease {
  readonly meta: number;
  readonly meta2: number;

  /** @internal */
  constructor(block: Block, size: number, meta: number, meta2: number) {
    super(block, size);
    this.meta = small(meta);
    this.meta2 = small(meta2);
  }
}

/**
 * The same number, from a Float64Array: an integer of 31 bits as V8 keeps such, since what is computed from it would otherwise
 * be computed with doubles: the demo's parser took 1.8 times as long.
 */
function small(n: number): number {
  const integer = n | 0;
  return Object.is(integer, n) ? integer : n;
}
