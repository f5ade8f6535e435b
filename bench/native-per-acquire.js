// A native pool as one would first write it: into C++ for each acquire and each release. It shows why slabpool's magazines
// are JavaScript.
import { loadAddon } from '../dist/core/loader.js';
import { NativeCore } from '../dist/core/native.js';
import { TIER_OF, TIERS } from './baseline/tiers.js';

export class NativePerAcquire {
  #core;
  /** @type {{ bytes: Buffer, block: number, tier: number }[]} */
  #blocks = [];

  constructor() {
    const addon = loadAddon();
    if (typeof addon === 'string') throw new Error(addon);
    this.#core = NativeCore.create(addon, { tiers: TIERS, maxBytes: 256 * 2 ** 20, epochMs: 5000, minBytes: 0 });
  }

  /** @param {number} size */
  acquire(size) {
    const tier = /** @type {number} */ (TIER_OF[(size + 255) >>> 8]);
    const core = this.#core;
    // All but the first refill of a tier find the batch of one that a release made.
    for (let spare = core.refill(tier) - 1; spare > 0; spare--) {
      const block = /** @type {number} */ (core.exchange[spare]);
      const first = /** @type {number} */ (core.exchange[0]);
      core.exchange[0] = block;
      core.flush(tier, 1);
      core.exchange[0] = first;
    }
    const block = /** @type {number} */ (core.exchange[0]);
    const known = this.#blocks[block];
    if (known !== undefined) return known;
    const made = { bytes: core.map(tier, block), block, tier };
    this.#blocks[block] = made;
    return made;
  }

  /** @param {{ block: number, tier: number }} held */
  release({ block, tier }) {
    this.#core.exchange[0] = block;
    this.#core.flush(tier, 1);
  }

  close() {
    this.#core.close();
  }
}
