/** @import { Socket } from 'node:net' */
/** @import { BufferPool, Lease } from 'slabpool' */

/** Writes bytes to a socket in pieces, each in a block of its own, which is given back when it is written. */
export class Pieces {
  #pool;
  #socket;
  /** @type {Lease | null} ours until it is written */
  #lease = null;
  #used = 0;
  /** Written, or so we asked; each lease is the socket's until its callback. */
  #writing = 0;
  #onWritten = () => {};

  /**
   * @param {BufferPool} pool
   * @param {Socket} socket
   */
  constructor(pool, socket) {
    this.#pool = pool;
    this.#socket = socket;
  }

  /** There is no room before the next piece. */
  get full() {
    return this.#lease === null;
  }

  /** Nothing more can be written. */
  get lost() {
    return this.#socket.destroyed;
  }

  /** @param {number} size bytes of the next piece; waits until the socket wants it */
  async next(size) {
    if (this.#socket.writableNeedDrain) await this.#drained();
    this.#lease = this.#pool.acquire(size);
  }

  /**
   * @param {Buffer} bytes
   * @param {number} start
   * @returns {number} how many of them the piece had room for
   */
  add(bytes, start) {
    const lease = /** @type {Lease} */ (this.#lease);
    const copied = bytes.copy(lease.bytes, this.#used, start, start + lease.size - this.#used);
    this.#used += copied;
    if (this.#used === lease.size) this.flush();
    return copied;
  }

  flush() {
    const lease = this.#lease;
    if (lease === null) return;
    this.#writing++;
    this.#socket.write(lease.bytes.subarray(0, this.#used), () => {
      lease.release();
      if (--this.#writing === 0) this.#onWritten();
    });
    this.#lease = null;
    this.#used = 0;
  }

  /** All callbacks have come: for a socket that was destroyed, they may do so after its 'close'. */
  async written() {
    if (this.#writing === 0) return;
    await new Promise((/** @type {(value: void) => void} */ resolve) => {
      this.#onWritten = resolve;
    });
  }

  #drained() {
    const socket = this.#socket;
    return new Promise((/** @type {(value: void) => void} */ resolve) => {
      const done = () => {
        socket.off('drain', done).off('close', done);
        resolve();
      };
      if (socket.destroyed) resolve();
      else socket.on('drain', done).on('close', done);
    });
  }
}
