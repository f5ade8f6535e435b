import { Lease } from '../lease/lease.js';
import type { Block } from '../lease/magazine.js';

/** A lease that came through a {@link Channel}. Its `size` is its `length`, so that `view()` has the bytes that the sender used. */
export class ReceivedLease extends Lease {
  /** Bytes that the sender used, 0 to `capacity`. */
  readonly length: number;
  /** The number that was sent along; 0 unless the sender said otherwise. */
  readonly tag: number;

  /** @internal */
  constructor({ bytes, magazine, index }: Block, length: number, tag: number) {
    super(bytes, magazine, index, length);
    this.length = length;
    this.tag = small(tag);
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
