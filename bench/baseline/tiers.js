// What both baselines share: the same tiers as slabpool's default, and a table from size to tier.

/** Four steps per doubling from 1 KiB to 1 MiB, in bytes. */
export const TIERS = Array.from({ length: 41 }, (_, i) => (1024 + 256 * (i % 4)) * 2 ** Math.floor(i / 4));

export const LARGEST = 2 ** 20;

/** By `(size + 255) >>> 8`: all tiers are multiples of 256. One load; log2 arithmetic takes as long (measured). */
export const TIER_OF = new Uint8Array((LARGEST >>> 8) + 1);
for (let i = 0, tier = 0; i < TIER_OF.length; i++) {
  while (/** @type {number} */ (TIERS[tier]) < i * 256) tier++;
  TIER_OF[i] = tier;
}
