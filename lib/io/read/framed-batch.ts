import type { Bytes } from '../../base/runtime.js';
import { invalidArg, SlabPoolError } from '../../errors.js';
import type { ByteWindow } from '../byte-window.js';
import { tooLong } from '../refusals.js';
import { RecordBatch } from './record-batch.js';

/**
 * Tells how long a frame is: bytes from `start` on, header and all, also if not all of them are there; 0 while that cannot be told yet.
 */
export type Measure = (bytes: Bytes, start: number, end: number) => number;

/** Records whose lengths are told at their begin, or all the same. */
export class FramedBatch extends RecordBatch {
  readonly #measure: Measure;
  /** Bytes of a frame that are no part of its record. */
  readonly #header: number;
  readonly #maxLength: number;
  /** Where each frame ends, less where the batch begins. */
  #ends = new Int32Array(64);
  #count = 0;
  #current = 0;

  constructor(measure: Measure, header: number, maxLength: number) {
    super();
    this.#measure = measure;
    this.#header = header;
    this.#maxLength = maxLength;
  }

  protected override endOf(window: ByteWindow): number {
    const { bytes, start, end } = window;
    const most = this.#maxLength + this.#header;
    let at = start;
    let count = 0;
    while (at < end) {
      const length = this.#measure(bytes, at, end);
      if (!(length > 0 && length <= end - at && length <= most) || !Number.isInteger(length)) {
        // Otherwise what is whole before it comes first.
        if (count === 0) this.#want(window, length);
        break;
      }
      at += length;
      if (count === this.#ends.length) this.#grow();
      this.#ends[count++] = at - start;
    }
    this.#count = count;
    this.#current = 0;
    return at;
  }

  /** The first frame is not there in whole, or cannot be. */
  #want(window: ByteWindow, length: number): void {
    const { pool, position } = window;
    const most = this.#maxLength + this.#header;
    if (length === 0) {
      if (window.length >= most) throw tooLong(pool, 'the frame, or its header,', position, this.#maxLength);
      this.wanted = Math.max(window.length + 1, this.#header);
    } else if (!Number.isInteger(length)) {
      const expected = 'an integer: the bytes of the frame, or 0 while that cannot be told';
      throw invalidArg('what measure(bytes, start, end) returned', expected, length, pool.name);
    } else if (length < 0) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_MALFORMED',
        `the frame at offset ${position} says that it is shorter than its own header: the input is of another kind, or is not read from its begin`,
        { pool: pool.name, details: { offset: position } },
      );
    } else if (length > most) {
      throw tooLong(pool, 'the frame', position, this.#maxLength);
    } else {
      this.wanted = length;
    }
  }

  #grow(): void {
    const ends = new Int32Array(2 * this.#ends.length);
    ends.set(this.#ends);
    this.#ends = ends;
  }

  override next(): boolean {
    const current = this.#current;
    if (current >= this.#count || this.end === this.start) {
      this.from = this.to = this.end;
      return false;
    }
    this.from = this.at + this.#header;
    this.to = this.at = this.start + this.#ends[current];
    this.#current = current + 1;
    return true;
  }
}
