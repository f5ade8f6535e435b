/** @import { BufferPool, Channel, Lease } from 'slabpool' */
import { BLOCK } from './protocol.js';

/** A worker's replies to one stream at a time, on their way into blocks. */
export class Outbox {
  #pool;
  #replies;
  /** @type {Lease | null} ours until it is sent */
  #lease = null;
  #used = 0;

  /**
   * @param {BufferPool} pool
   * @param {Channel} replies
   */
  constructor(pool, replies) {
    this.#pool = pool;
    this.#replies = replies;
  }

  /** @param {string} line ASCII, shorter than a block */
  fits(line) {
    return this.#lease !== null && this.#used + line.length <= BLOCK;
  }

  /** @param {string} line that fits */
  add(line) {
    this.#used += /** @type {Lease} */ (this.#lease).bytes.write(line, this.#used, 'latin1');
  }

  /**
   * @param {string} line
   * @param {number} stream
   */
  async makeRoom(line, stream) {
    if (this.fits(line)) return;
    await this.flush(stream);
    this.#lease = await this.#pool.acquireAsync(BLOCK);
  }

  /** @param {number} stream */
  async flush(stream) {
    if (this.#lease === null) return;
    const [lease, used] = [this.#lease, this.#used];
    this.#lease = null;
    this.#used = 0;
    await this.#replies.send(lease, used, stream);
  }
}
