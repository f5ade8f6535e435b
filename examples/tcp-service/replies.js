/** Replies that are to come, in their order. */
export class Replies {
  /** @type {Buffer[]} */
  #expected = [];
  #first = 0;
  /** Bytes of the first one that have come. */
  #compared = 0;
  received = 0;

  /** @param {Buffer} reply */
  expect(reply) {
    this.#expected.push(reply);
  }

  get missing() {
    return this.#expected.length - this.#first;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} length
   * @returns {string | undefined} the first difference
   */
  compare(bytes, length) {
    this.received += length;
    for (let at = 0; at < length; ) {
      const reply = this.#expected[this.#first];
      if (!reply) return `got bytes that nothing was asked for: ${bytes.toString('utf8', at, length)}`;
      const count = Math.min(length - at, reply.length - this.#compared);
      if (bytes.compare(reply, this.#compared, this.#compared + count, at, at + count) !== 0) {
        const [line] = bytes.toString('utf8', Math.max(0, at - this.#compared), length).split('\n');
        return `expected ${reply.toString().trim()}, got ${line}`;
      }
      at += count;
      this.#compared += count;
      if (this.#compared === reply.length) this.#next();
    }
    return undefined;
  }

  #next() {
    this.#compared = 0;
    this.#first++;
    if (this.#first < 1024) return;
    this.#expected.splice(0, this.#first);
    this.#first = 0;
  }
}
