import { RingBuffer } from 'ringbuf.js';

const PUSHED = 0;
const POPPED = 16;

/** Looks at a ring that is full or empty, before going to sleep. */
const SPINS = 200;

/**
 * `ringbuf.js` with waiting, which it leaves to its user: either side spins for a while, then sleeps on a count of what the
 * other one did. Elements are words, since `pop` copies them one by one; doubles would be faster, but may change NaNs.
 */
export class ByteRing {
  #ring;
  #counts;

  /** @param {{ ring: SharedArrayBuffer, counts: SharedArrayBuffer }} memory */
  constructor({ ring, counts }) {
    this.#ring = new RingBuffer(ring, Uint32Array);
    this.#counts = new Int32Array(counts);
  }

  /** @param {number} bytes a multiple of 4 */
  static memory(bytes) {
    return { ring: RingBuffer.getStorageForCapacity(bytes / 4, Uint32Array), counts: new SharedArrayBuffer(128) };
  }

  /** All of it. @param {Uint32Array} from */
  push(from) {
    this.#wait(POPPED, () => this.#ring.availableWrite() >= from.length);
    this.#ring.push(from);
    this.#tell(PUSHED);
  }

  /** Fills it. @param {Uint32Array} into */
  pop(into) {
    this.#wait(PUSHED, () => this.#ring.availableRead() >= into.length);
    this.#ring.pop(into);
    this.#tell(POPPED);
  }

  /** @param {number} count */
  #tell(count) {
    Atomics.add(this.#counts, count, 1);
    Atomics.notify(this.#counts, count);
  }

  /** @param {number} count that changes when it may be there @param {() => boolean} isThere */
  #wait(count, isThere) {
    for (let i = 0; i < SPINS; i++) {
      if (isThere()) return;
    }
    for (;;) {
      const seen = Atomics.load(this.#counts, count);
      if (isThere()) return;
      Atomics.wait(this.#counts, count, seen);
    }
  }
}
