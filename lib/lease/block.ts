import type { Bytes } from '../base/runtime.js';
import type { Magazine } from './magazine.js';

/** One block as this thread sees it: made at its first use here, kept until the block goes cold. */
export class Block {
  readonly bytes: Bytes;
  readonly buffer: ArrayBuffer;
  /** Bytes; `bytes.length` says 0 once the ArrayBuffer is detached. */
  readonly capacity: number;
  /** The block's number in the core; -1 for an oversize one. */
  readonly index: number;
  /** Where it is released to. */
  readonly magazine: Magazine;

  constructor(bytes: Bytes, index: number, magazine: Magazine) {
    this.bytes = bytes;
    this.buffer = bytes.buffer;
    this.capacity = bytes.length;
    this.index = index;
    this.magazine = magazine;
  }
}
