const SMALLEST_TIER = 1024;
const STEPS_PER_DOUBLING = 4;

/**
 * The default tiers: four steps per doubling from 1 KiB (so that at most a quarter of a block above 1 KiB is wasted), the
 * last one `largest` itself. The spacing is jemalloc's (J. Evans, 2006).
 */
export function defaultTiers(largest: number): number[] {
  const tiers: number[] = [];
  for (let base = SMALLEST_TIER; base < largest; base *= 2) {
    for (let step = 0; step < STEPS_PER_DOUBLING; step++) {
      const tier = base + (base / STEPS_PER_DOUBLING) * step;
      if (tier < largest) tiers.push(tier);
    }
  }
  tiers.push(largest);
  return tiers;
}

/** Buckets that {@link bucketOf} distinguishes, for sizes up to 2^30. */
export const BUCKETS = 100;

/**
 * The bucket of the sizes around `last + 1` bytes, on a scale of four buckets per doubling from 64 bytes; `last` is the
 * index of the last byte, 0 to 2^30 - 1. The default tiers end where buckets end.
 */
export function bucketOf(last: number): number {
  const bits = last < 64 ? 63 : last;
  const exponent = 31 - Math.clz32(bits);
  return ((exponent - 5) << 2) + ((bits >>> (exponent - 2)) & 3);
}

/** The smallest index of a last byte in `bucket`: the inverse of {@link bucketOf}. */
export function firstOfBucket(bucket: number): number {
  if (bucket < STEPS_PER_DOUBLING) return 0;
  return (STEPS_PER_DOUBLING + (bucket & 3)) << ((bucket >> 2) + 3);
}
