import type { Bytes } from '../../base/runtime.js';
import type { ByteWindow } from '../byte-window.js';
import { tooLong } from '../refusals.js';
import { RecordBatch, splitTexts } from './record-batch.js';

/** What to do with a record that is too long. */
export type OnTooLong = 'throw' | 'skip';

/** Records that end with a delimiter; the last one may end with the input. */
export class DelimitedBatch extends RecordBatch {
  readonly #delimiter: number | Uint8Array;
  /** The delimiter if it is a single byte, else -1: a field that is always a small integer. */
  readonly #byte: number;
  readonly #length: number;
  /** Whether a delimiter may begin within another one. */
  readonly #overlaps: boolean;
  readonly #crlf: boolean;
  readonly #maxLength: number;
  readonly #skips: boolean;
  /** Offset in the input up to which no delimiter begins. */
  #searched = 0;
  /** In the midst of a record that is left out. */
  #skipping = false;
  /** Offset in the input of `bytes[0]`. */
  #base = 0;

  constructor(delimiter: number | Uint8Array, crlf: boolean, maxLength: number, onTooLong: OnTooLong) {
    super();
    this.#delimiter = delimiter;
    this.#byte = typeof delimiter === 'number' ? delimiter : -1;
    this.#length = typeof delimiter === 'number' ? 1 : delimiter.length;
    this.#overlaps = typeof delimiter !== 'number' && overlaps(delimiter);
    this.#crlf = crlf;
    this.#maxLength = maxLength;
    this.#skips = onTooLong === 'skip';
  }

  protected override endOf(window: ByteWindow): number {
    if (this.#skipping && !this.#skip(window)) return window.start;
    this.#base = window.position - window.start;
    const { bytes, start, end } = window;
    const from = Math.max(start, this.#searched - this.#base);
    const last = this.#overlaps ? this.#lastOf(window, from) : this.#lastIndexOf(bytes, from, end);
    if (last !== -1) {
      this.#searched = 0;
      return last + this.#length;
    }
    this.#searched = Math.max(from, end - this.#length + 1) + this.#base;
    this.wanted = end - start + 1;
    // The delimiter, of which a part may be there, does not count, nor a CR before it.
    if (end - start >= this.#maxLength + this.#length + (this.#crlf ? 1 : 0)) this.#tooLong(window.position, window);
    return window.start;
  }

  /** Only of what is new, or a long record would be searched again with each part that comes. */
  #lastIndexOf(bytes: Bytes, from: number, end: number): number {
    const last = from >= end ? -1 : bytes.subarray(from, end).lastIndexOf(this.#delimiter as number);
    return last === -1 ? -1 : from + last;
  }

  /** The last one that a search from the begin comes to: in `aaa`, there is one `aa`. */
  #lastOf(window: ByteWindow, from: number): number {
    let last = -1;
    for (let at = window.indexOf(this.#delimiter, from); at !== -1; ) {
      last = at;
      at = window.indexOf(this.#delimiter, at + this.#length);
    }
    return last;
  }

  protected override endOfRest(window: ByteWindow): number {
    this.#searched = 0;
    return this.#skipping ? window.start : window.end;
  }

  /** Consumes what is left of a record that is left out. Whether all of it was there. */
  #skip(window: ByteWindow): boolean {
    const at = window.indexOf(this.#delimiter);
    this.wanted = 1;
    if (at !== -1) {
      window.start = at + this.#length;
      this.#skipping = false;
      return true;
    }
    // The delimiter may have begun.
    const keep = window.ended ? 0 : Math.min(window.length, this.#length - 1);
    window.start = window.end - keep;
    this.wanted = keep + 1;
    return false;
  }

  #tooLong(offset: number, window: ByteWindow): void {
    if (!this.#skips) throw tooLong(window.pool, 'the record', offset, this.#maxLength);
    this.#skipping = true;
    this.#searched = 0;
    this.#skip(window);
  }

  override next(): boolean {
    const { bytes, end } = this;
    const byte = this.#byte;
    while (this.at < end) {
      const from = this.at;
      let to = byte === -1 ? bytes.indexOf(this.#delimiter as Uint8Array, from) : bytes.indexOf(byte, from);
      if (to === -1 || to + this.#length > end) {
        // It ends with the input, and a CR there is before no LF. What was found may be of bytes that are none of the input.
        to = end;
        this.at = end;
      } else {
        this.at = to + this.#length;
        if (this.#crlf && bytes[to - 1] === 13 && to > from) to--;
      }
      this.from = from;
      this.to = to;
      if (to - from <= this.#maxLength) return true;
      if (!this.#skips)
        throw tooLong((this.window as ByteWindow).pool, 'the record', this.#base + from, this.#maxLength);
    }
    this.from = this.to = end;
    return false;
  }

  override texts(): string[] {
    const delimiter = this.#delimiter;
    // Else bytes of the delimiter may be parts of characters; or some record may be too long.
    if (typeof delimiter !== 'number' || delimiter > 127 || this.end - this.at > this.#maxLength) return super.texts();
    const from = this.at;
    this.from = this.to = this.at = this.end;
    return splitTexts(this.bytes, from, this.end, delimiter, this.#crlf);
  }
}

/** Whether some end of `bytes` is also a begin. */
function overlaps(bytes: Uint8Array): boolean {
  for (let at = 1; at < bytes.length; at++) {
    if (bytes.subarray(at).every((byte, i) => byte === bytes[i])) return true;
  }
  return false;
}
