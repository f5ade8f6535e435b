/** @import { Allocator, Holding } from './allocator.js' */
import { DemoError } from './errors.js';

const NEWLINE = 10;

/** A "line" longer than this means a file without lines, not a long record. */
export const MAX_RECORD = 16 * 1024 * 1024;

/**
 * Cuts blocks at newlines. Whole records are passed on where they lie in the block; only the one that crosses into the
 * next block is copied, into a buffer of its own.
 */
export class Splitter {
  #allocator;
  #take;
  /** @type {Holding | undefined} the head of a record whose end has not been read yet; owned here */
  #carry;
  #carried = 0;
  #room = 0;

  /**
   * @param {Allocator} allocator
   * @param {(bytes: Buffer, start: number, end: number) => void} take gets whole records, the last byte a newline;
   *   the bytes are the taker's only until it returns
   */
  constructor(allocator, take) {
    this.#allocator = allocator;
    this.#take = take;
  }

  /**
   * @param {Buffer} bytes the caller's again when this returns
   * @param {number} length
   */
  push(bytes, length) {
    const end = bytes.lastIndexOf(NEWLINE, length - 1) + 1;
    let start = 0;
    if (end > 0 && this.#carried > 0) {
      start = bytes.indexOf(NEWLINE) + 1;
      this.#append(bytes, 0, start);
      this.#flush();
    }
    if (end > start) this.#take(bytes, start, end);
    if (length > end) this.#append(bytes, end, length);
  }

  /** The last record of a file may lack its newline. */
  end() {
    if (this.#carried === 0) return;
    this.#append(Buffer.of(NEWLINE), 0, 1);
    this.#flush();
  }

  /**
   * @param {Buffer} bytes
   * @param {number} from
   * @param {number} to
   */
  #append(bytes, from, to) {
    const needed = this.#carried + to - from;
    if (needed > MAX_RECORD) throw tooLong();
    if (needed > this.#room) {
      // Doubling only pays for a record over several blocks; the usual one is joined once, so it gets its exact size.
      const room = this.#carried > bytes.length ? needed * 2 : needed;
      const larger = this.#allocator.acquire(room);
      this.#carry?.bytes.copy(larger.bytes, 0, 0, this.#carried);
      this.#carry?.release();
      this.#carry = larger;
      this.#room = room;
    }
    bytes.copy(/** @type {Holding} */ (this.#carry).bytes, this.#carried, from, to);
    this.#carried = needed;
  }

  #flush() {
    const carry = /** @type {Holding} */ (this.#carry);
    this.#take(carry.bytes, 0, this.#carried);
    carry.release();
    this.#carry = undefined;
    this.#carried = 0;
    this.#room = 0;
  }
}

export function tooLong() {
  return new DemoError(`a line is longer than ${MAX_RECORD} bytes: expected NDJSON, one JSON object a line`);
}
