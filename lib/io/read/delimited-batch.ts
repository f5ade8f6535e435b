import type { Bytes } from '../../base/runtime.js';
import { searchOf } from '../../core/loader.js';
import type { ByteWindow } from '../byte-window.js';
import { tooLong } from '../refusals.js';
import { RecordBatch, splitTexts } from './record-batch.js';

/** Most delimiters that one native call finds. */
const MOST_ENDS = 1024;

/** Bytes below which a native call for all delimiters takes longer than one search after the other. */
const WORTH_A_CALL = 512;

const NO_ENDS = new Uint32Array(0);

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
  /** Finds a byte's next occurrences in one call; null on the TypeScript core, undefined until it is known. */
  #search: ReturnType<typeof searchOf> | undefined;
  /** Where the next delimiters are, as far as they were searched for: from `#nextEnd` to `#ends`. */
  #found: Uint32Array = NO_ENDS;
  #nextEnd = 0;
  #ends = 0;

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
    while (this.at < end) {
      const from = this.at;
      let to = this.#nextEnd < this.#ends ? (this.#found[this.#nextEnd++] as number) : this.#find(from);
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

  /** Index of the next delimiter from `from` on, or -1; that of many more too, where that is one call. */
  #find(from: number): number {
    const { bytes, end } = this;
    const byte = this.#byte;
    if (byte === -1) return bytes.indexOf(this.#delimiter as Uint8Array, from);
    // Bytes that somebody has detached have no length.
    if (end - from < WORTH_A_CALL || end > bytes.length) return bytes.indexOf(byte, from);
    if (this.#search === undefined) {
      this.#search = searchOf((this.window as ByteWindow).pool.backend);
      if (this.#search !== null) this.#found = new Uint32Array(MOST_ENDS);
    }
    if (this.#search === null) return bytes.indexOf(byte, from);
    this.#ends = this.#search(bytes, from, end, byte, this.#found);
    this.#nextEnd = 1;
    return this.#ends === 0 ? -1 : (this.#found[0] as number);
  }

  override leave(): void {
    this.#nextEnd = this.#ends = 0;
    super.leave();
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
