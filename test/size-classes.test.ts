import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { JsCore } from '../dist/core/js.js';
import { BUCKETS, bucketOf, defaultTiers, firstOfBucket } from '../dist/core/size-classes.js';
import { Heap } from '../dist/heap/heap.js';
import { resolveOptions } from '../dist/options.js';
import { BACKENDS, KiB, MiB } from './backends.js';

const GiB = 1024 * MiB;

function heapWith(tiers: readonly number[]): Heap {
  const options = resolveOptions({ tiers, maxBytes: 2 ** 40, backend: 'js' }, () => 4096);
  return new Heap(new JsCore(options), options);
}

describe('default tiers', () => {
  test('are four a doubling from 1 KiB to 1 MiB', () => {
    const tiers = defaultTiers(MiB);
    expect(tiers.slice(0, 9)).toEqual([1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096]);
    expect(tiers.slice(-3)).toEqual([786_432, 917_504, MiB]);
    expect(tiers).toHaveLength(41);
  });

  test.each([1, 100, 1023, 1024, 1025, 5000, MiB - 1, MiB + 1, GiB])('end with the largest, %i, itself', (largest) => {
    const tiers = defaultTiers(largest);
    expect(tiers.at(-1)).toBe(largest);
    expect(tiers.every((tier, i) => Number.isSafeInteger(tier) && tier > (tiers[i - 1] ?? 0))).toBe(true);
    expect(tiers.length).toBeLessThanOrEqual(128);
  });

  test('waste at most a fifth of a block above 1 KiB', () => {
    const tiers = defaultTiers(GiB);
    for (let i = 1; i < tiers.length; i++) {
      const wasted = tiers[i] - (tiers[i - 1] + 1);
      expect(wasted / tiers[i]).toBeLessThanOrEqual(0.2);
    }
  });
});

test('a bucket begins with its smallest size, and buckets ascend with sizes', () => {
  const powers = Array.from({ length: 31 }, (_, bits) => [2 ** bits - 1, Math.min(2 ** bits, 2 ** 30 - 1)]).flat();
  const lasts = [...Array.from({ length: 70_000 }, (_, last) => last), ...powers.filter((last) => last >= 70_000)];
  const wrong = lasts.filter((last, i) => {
    const bucket = bucketOf(last);
    const first = firstOfBucket(bucket);
    return (
      first > last ||
      bucketOf(first) !== bucket ||
      (first > 0 && bucketOf(first - 1) >= bucket) ||
      (i > 0 && bucketOf(lasts[i - 1]) > bucket) ||
      bucket >= BUCKETS
    );
  });
  expect(wrong).toEqual([]);
});

describe.each(BACKENDS)('tiers on the %s core', (backend) => {
  test('every size from 0 to 1 MiB + 1 gets the smallest tier that fits', () => {
    const pool = new BufferPool({ backend });
    const wrong: number[] = [];
    let tier = 0;
    for (let size = 0; size <= MiB; size++) {
      if (size > pool.tiers[tier]) tier++;
      const lease = pool.acquire(size);
      if (lease.capacity !== pool.tiers[tier] || lease.buffer.byteLength !== pool.tiers[tier]) wrong.push(size);
      lease.release();
    }
    expect(wrong).toEqual([]);
    expect(pool.borrow(MiB + 1, ({ capacity }) => capacity)).toBe(MiB + 1);
    expect(pool.stats().oversize.acquires).toBe(1);
    pool.close();
  });

  test.each([
    { tiers: [1] },
    { tiers: [1, 2, 3, 4, 63, 64, 65, 127, 128, 129] },
    { tiers: [1000, 3000, 50_000] },
    { tiers: [4 * KiB, 4 * MiB] },
    { tiers: Array.from({ length: 128 }, (_, i) => i + 1) },
    { tiers: Array.from({ length: 128 }, (_, i) => 60_000 + i) },
  ])('of the caller: $tiers', ({ tiers }) => {
    const pool = new BufferPool({ backend, tiers });
    expect(pool.tiers).toEqual(tiers);
    expect(pool.maxPooledSize).toBe(tiers.at(-1));
    for (const [i, tier] of tiers.entries()) {
      for (const size of new Set([(tiers[i - 1] ?? -1) + 1, tier])) {
        using lease = pool.acquire(size);
        expect([size, lease.capacity, lease.bytes.length]).toEqual([size, tier, tier]);
        lease.bytes.fill(0xff);
      }
    }
    pool.assertNoLeaks();
    pool.close();
  });

  test("the caller's array of tiers is copied, and what the pool shows is frozen", () => {
    const tiers = [1000, 2000];
    const pool = new BufferPool({ backend, tiers });
    tiers[0] = 5;
    expect(pool.tiers).toEqual([1000, 2000]);
    expect(() => (pool.tiers as number[]).push(1)).toThrow(TypeError);
    pool.close();
  });
});

test('any tiers up to 1 GiB: a size gets the tier that a naive search finds', () => {
  const sized = fc.integer({ min: 0, max: 30 }).chain((bits) => fc.integer({ min: 1, max: 2 ** bits }));
  fc.assert(
    fc.property(
      fc.uniqueArray(sized, { minLength: 1, maxLength: 128, size: 'max' }),
      fc.array(sized, { maxLength: 50 }),
      (capacities, sizes) => {
        const tiers = capacities.sort((a, b) => a - b);
        const heap = heapWith(tiers);
        const edges = tiers.flatMap((tier) => [tier - 1, tier, tier + 1]);
        for (const size of [...sizes, ...edges]) {
          const naive = tiers.find((tier) => tier >= size);
          if (size >= 1 && naive !== undefined) assert.equal(heap.magazineFor(size - 1).capacity, naive);
        }
      },
    ),
    { numRuns: 300 },
  );
});
