/** @import { BufferPool, Lease } from 'slabpool' */
import { RETRY_MS } from './protocol.js';

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
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  /** Times that a connection had to wait for a block. */
  waits = 0;

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
    this.#retryLater();
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
    if (this.#waiting.length > 0) this.#retryLater();
  }

  #tryTake() {
    if (this.#lent === this.#most) return null;
    const lease = tryAcquire(this.#pool);
    if (lease !== null) this.#lent++;
    return lease;
  }

  #retryLater() {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.serve();
    }, RETRY_MS);
  }
}

/**
 * @param {BufferPool} pool of one tier
 * @returns {Lease | null} null when the budget is used up
 */
export function tryAcquire(pool) {
  try {
    return pool.acquire(pool.maxPooledSize);
  } catch (error) {
    if (/** @type {{ code?: unknown }} */ (error).code === 'ERR_SLABPOOL_EXHAUSTED') return null;
    throw error;
  }
}
