import { LARGEST, TIER_OF, TIERS } from './tiers.js';

/** One tier: a stack that never shrinks its array, which is a third faster than push and pop (measured on Node 20). */
class Tier {
  /** @type {Buffer[]} */
  buffers = [];
  count = 0;
  /** Buffers ever made. */
  made = 0;
  acquires = 0;

  /** @param {number} capacity */
  constructor(capacity) {
    this.capacity = capacity;
  }

  /** @param {Buffer} bytes */
  put(bytes) {
    // A buffer whose ArrayBuffer was detached meanwhile is not worth keeping.
    if (bytes.length === this.capacity) this.buffers[this.count++] = bytes;
  }
}

/**
 * Not in `release()`: V8 would create each lease for it, where it leaves them out. Nor without an argument: since Node.js 26 V8 compiles
 * calls that have never run, but no access to a field that has never run.
 * @param {number} length
 * @returns {never}
 */
function releasedTwice(length) {
  throw new Error(`a lease of ${length} bytes was released twice`);
}

/** Fresh for each acquire: so a second release is noticed for certain. */
class Lease {
  /** @type {Tier | Oversize | null} */
  #tier;

  /** @param {Buffer} bytes @param {Tier | Oversize} tier */
  constructor(bytes, tier) {
    this.bytes = bytes;
    this.#tier = tier;
  }

  release() {
    const tier = this.#tier;
    if (tier === null) releasedTwice(this.bytes.length);
    this.#tier = null;
    tier.put(this.bytes);
  }
}

/** Larger than the largest tier: counted, capped, dropped on release. */
class Oversize {
  out = 0;
  acquires = 0;

  /** @param {number} most */
  constructor(most) {
    this.most = most;
  }

  /** @param {number} size */
  make(size) {
    if (this.out + size > this.most) throw new Error(`${size} bytes are too many: ${this.out} of ${this.most} are out`);
    this.out += size;
    this.acquires++;
    return Buffer.allocUnsafeSlow(size);
  }

  /** @param {Buffer} bytes */
  put(bytes) {
    this.out -= bytes.length;
  }
}

/** What a good pure JavaScript pool can be: tiers, a byte bound, checked releases, an oversize drop path, a hit rate. */
export class FairPool {
  #tiers = TIERS.map((capacity) => new Tier(capacity));
  #oversize;
  #maxBytes;
  #bytes = 0;
  /** One, always: while none is alive V8 lets their hidden class go with a full collection, and with it all code that makes one. */
  kept = new Lease(Buffer.alloc(0), new Tier(0));

  /** @param {{ maxBytes?: number, maxOversizeBytes?: number }} [options] */
  constructor({ maxBytes = 256 * 2 ** 20, maxOversizeBytes = 64 * 2 ** 20 } = {}) {
    this.#maxBytes = maxBytes;
    this.#oversize = new Oversize(maxOversizeBytes);
  }

  /** @param {number} size */
  acquire(size) {
    if (size > LARGEST || size >>> 0 !== size) return this.#acquireOther(size);
    const tier = /** @type {Tier} */ (this.#tiers[/** @type {number} */ (TIER_OF[(size + 255) >>> 8])]);
    const bytes = tier.count > 0 ? /** @type {Buffer} */ (tier.buffers[--tier.count]) : this.#make(tier);
    tier.acquires++;
    return new Lease(bytes, tier);
  }

  /** @param {Tier} tier */
  #make(tier) {
    if (this.#bytes + tier.capacity > this.#maxBytes) throw new Error(`the pool's ${this.#maxBytes} bytes are used up`);
    this.#bytes += tier.capacity;
    tier.made++;
    return Buffer.allocUnsafeSlow(tier.capacity);
  }

  /** @param {number} size */
  #acquireOther(size) {
    if (!Number.isSafeInteger(size) || size < 0) throw new RangeError(`not a size: ${size}`);
    return new Lease(this.#oversize.make(size), this.#oversize);
  }

  /**
   * A buffer of this pool that was transferred to another thread and has come back, which makes it a new object.
   * @param {ArrayBuffer} buffer
   */
  takeBack(buffer) {
    this.#tierOf(buffer.byteLength).put(Buffer.from(buffer));
  }

  /** A lease of a buffer that another thread's pool made. @param {ArrayBuffer} buffer */
  inherit(buffer) {
    this.#bytes += buffer.byteLength;
    return new Lease(Buffer.from(buffer), this.#tierOf(buffer.byteLength));
  }

  /** @param {number} size */
  #tierOf(size) {
    return /** @type {Tier} */ (this.#tiers[/** @type {number} */ (TIER_OF[(size + 255) >>> 8])]);
  }

  stats() {
    let acquires = this.#oversize.acquires;
    let fresh = acquires;
    for (const tier of this.#tiers) {
      acquires += tier.acquires;
      fresh += tier.made;
    }
    return { acquires, hitRate: acquires === 0 ? 1 : (acquires - fresh) / acquires, bytes: this.#bytes };
  }
}
