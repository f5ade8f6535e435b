import type { Bytes } from '../../base/runtime.js';
import type { Turn } from './segment-chain.js';

/** Bytes that a hole may have. */
export type HoleSize = 1 | 2 | 4 | 8;

/** The order of the bytes of a number: the least, or the most significant one first. */
export type Endian = 'le' | 'be';

/** Room for a number that is known later, such as the length of what comes behind it: see `ByteWriter.hole()`. */
export class Hole {
  /** Bytes. */
  readonly size: HoleSize;
  /**
   * Null once filled.
   * @internal
   */
  turn: Turn | null;
  /** @internal */
  readonly bytes: Bytes;
  /** @internal */
  readonly at: number;

  /** @internal */
  constructor(turn: Turn, bytes: Bytes, at: number, size: HoleSize) {
    this.size = size;
    this.turn = turn;
    this.bytes = bytes;
    this.at = at;
  }
}
