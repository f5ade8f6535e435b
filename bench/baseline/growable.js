/** The pool of many textbooks: one list; a buffer that is too small is replaced by one that is not, and none ever shrinks. */
export class GrowablePool {
  /** @type {Buffer[]} */
  #free = [];

  /** @param {number} size */
  acquire(size) {
    const kept = this.#free.pop();
    const bytes = kept !== undefined && kept.length >= size ? kept : Buffer.allocUnsafeSlow(size);
    return { bytes, release: () => this.#free.push(bytes) };
  }
}
