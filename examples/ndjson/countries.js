/**
 * The countries seen so far, each with a number from 0 up. Found by their bytes, so that a name becomes a JavaScript
 * string once, at the end, and not once a record.
 *
 * Identity: country `id` is the bytes from `#ends[id - 1]` to `#ends[id]` of `#text`; `#slots` holds every id once.
 */
export class Countries {
  /** Open addressing; -1 is an empty slot. At most half full, so that a probe always ends. */
  #slots = new Int32Array(1024).fill(-1);
  #text = Buffer.alloc(4096);
  /** @type {number[]} */
  #ends = [];

  get count() {
    return this.#ends.length;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  idOf(bytes, start, end) {
    let slot = hash(bytes, start, end) & (this.#slots.length - 1);
    for (;;) {
      const id = this.#slots[slot];
      if (id < 0) return this.#add(bytes, start, end, slot);
      if (this.#matches(id, bytes, start, end)) return id;
      slot = (slot + 1) & (this.#slots.length - 1);
    }
  }

  /**
   * The name as text. Names that differ only in how they are escaped come out the same.
   *
   * @param {number} id
   * @returns {string}
   */
  nameOf(id) {
    const raw = this.#text.toString('utf8', this.#start(id), this.#ends[id]);
    try {
      return JSON.parse(`"${raw}"`);
    } catch {
      return raw;
    }
  }

  /** @param {number} id */
  #start(id) {
    return id === 0 ? 0 : this.#ends[id - 1];
  }

  /**
   * @param {number} id
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   */
  #matches(id, bytes, start, end) {
    const from = this.#start(id);
    if (this.#ends[id] - from !== end - start) return false;
    for (let i = start; i < end; i++) if (this.#text[from + i - start] !== bytes[i]) return false;
    return true;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} start
   * @param {number} end
   * @param {number} slot
   */
  #add(bytes, start, end, slot) {
    const id = this.#ends.length;
    const from = this.#start(id);
    const to = from + end - start;
    if (to > this.#text.length) {
      const larger = Buffer.alloc(Math.max(to, this.#text.length * 2));
      this.#text.copy(larger, 0, 0, from);
      this.#text = larger;
    }
    bytes.copy(this.#text, from, start, end);
    this.#ends.push(to);
    this.#slots[slot] = id;
    if (this.#ends.length * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash() {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    for (let id = 0; id < this.#ends.length; id++) {
      let slot = hash(this.#text, this.#start(id), this.#ends[id]) & (slots.length - 1);
      while (slots[slot] >= 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

/**
 * FNV-1a.
 *
 * @param {Buffer} bytes
 * @param {number} start
 * @param {number} end
 */
function hash(bytes, start, end) {
  let value = 0x811c9dc5;
  for (let i = start; i < end; i++) value = Math.imul(value ^ bytes[i], 0x01000193);
  return value ^ (value >>> 15);
}
