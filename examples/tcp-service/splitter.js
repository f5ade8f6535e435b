const NEWLINE = 10;
const NOTHING = Buffer.alloc(0);

/** What is wrong with a client's records, in words for the client. */
export class RecordError extends Error {}

/**
 * Cuts the blocks of one stream into lines. Where a line lies within a block, nothing is copied.
 *
 * What crosses into the next block is kept in a buffer of the stream's own: that block may be long in coming, and a pooled one
 * held until then would be taken from all other streams.
 */
export class Splitter {
  #maxRecord;
  #carry = NOTHING;
  #carried = 0;

  /** @param {number} maxRecord bytes of the longest line, without its newline */
  constructor(maxRecord) {
    this.#maxRecord = maxRecord;
  }

  /**
   * @param {Buffer} bytes the caller's again when all lines have been taken
   * @returns {Generator<Buffer, void, void>} lines without their newlines, each good until the next is asked for
   */
  *push(bytes) {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start);
      const part = bytes.subarray(start, end < 0 ? bytes.length : end);
      if (this.#carried + part.length > this.#maxRecord) {
        throw new RecordError(`a record is longer than ${this.#maxRecord} bytes`);
      }
      if (end < 0) {
        this.#keep(part);
        return;
      }
      if (this.#carried === 0) yield part;
      else {
        this.#keep(part);
        yield* this.end();
      }
      start = end + 1;
    }
  }

  /** The last line of a stream may lack its newline. */
  *end() {
    const line = this.#carry.subarray(0, this.#carried);
    this.#carry = NOTHING;
    this.#carried = 0;
    if (line.length > 0) yield line;
  }

  /** @param {Buffer} part */
  #keep(part) {
    const needed = this.#carried + part.length;
    if (needed > this.#carry.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#maxRecord, 2 * needed));
      this.#carry.copy(larger, 0, 0, this.#carried);
      this.#carry = larger;
    }
    part.copy(this.#carry, this.#carried);
    this.#carried = needed;
  }
}
