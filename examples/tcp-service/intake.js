/** @import { BufferPool, Lease } from 'slabpool' */

/**
 * Lends blocks to connections that have bytes to copy, in the order in which they ask.
 *
 * Identity: `#lent` blocks are with connections, at most `#most`; each comes back by `gone()` when it was sent or released.
 */
export class Intake {
  #pool;
  #most;
  #lent = 0;
  /** @type {((lease: Lease) => void)[]} */
  #waiting = [];
  #serving = false;
  /** The pool has been asked for a block, and had none. */
  #asking = false;
  /** Times that a connection had to wait for a block. */
  waits = 0;
  /** Times that the pool was asked for one that it did not have. */
  asked = 0;

  /**
   * @param {BufferPool} pool
   * @param {number} most
   */
  constructor(pool, most) {
    this.#pool = pool;
    this.#most = most;
  }

  /**
   * @param {(lease: Lease) => void} later gets the block if there is none now
   * @returns {Lease | null}
   */
  take(later) {
    const lease = this.#waiting.length === 0 ? this.#tryTake() : null;
    if (lease !== null) return lease;
    this.waits++;
    this.#waiting.push(later);
    return null;
  }

  /** A connection has one block less. */
  gone() {
    this.#lent--;
    this.serve();
  }

  /** There may be a block for those who wait. */
  serve() {
    // Whoever is served may send its block at once and so come back here.
    if (this.#serving) return;
    this.#serving = true;
    while (this.#waiting.length > 0) {
      const lease = this.#tryTake();
      if (lease === null) break;
      this.#waiting.shift()?.(lease);
    }
    this.#serving = false;
  }

  #tryTake() {
    if (this.#lent === this.#most || this.#asking) return null;
    try {
      const lease = this.#pool.acquire(this.#pool.maxPooledSize);
      this.#lent++;
      return lease;
    } catch (error) {
      if (/** @type {{ code?: unknown }} */ (error).code !== 'ERR_SLABPOOL_EXHAUSTED') throw error;
      void this.#ask();
      return null;
    }
  }

  /** The pool has no block now: one will come, whichever thread releases it. */
  async #ask() {
    this.#asking = true;
    this.asked++;
    const lease = await this.#pool.acquireAsync(this.#pool.maxPooledSize);
    this.#asking = false;
    const first = this.#waiting.shift();
    if (first === undefined) {
      lease.release();
    } else {
      this.#lent++;
      first(lease);
    }
    this.serve();
  }
}
