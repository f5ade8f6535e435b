import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bestTiers, type Histogram, totalWaste, wasteByTier } from '../dist/diagnose/tier-table.js';

const size = fc.integer({ min: 1, max: 2 ** 21 });
const ascending = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);

const histogram: fc.Arbitrary<Histogram> = fc
  .uniqueArray(fc.record({ size, count: fc.integer({ min: 0, max: 1_000_000 }) }), {
    selector: (entry) => entry.size,
    maxLength: 40,
  })
  .map((entries) => entries.sort((a, b) => a.size - b.size));
const table = fc.uniqueArray(size, { minLength: 1, maxLength: 20 }).map(ascending);

const pooled = (requests: Histogram, largest: number) => requests.filter((entry) => entry.size <= largest);

/** Wasted bytes, one request's entry after the other. */
function wastedBytes(requests: Histogram, tiers: readonly number[]): number {
  return requests.reduce((sum, { size, count }) => {
    const tier = tiers.find((capacity) => capacity >= size);
    return tier === undefined ? sum : sum + count * (tier - size);
  }, 0);
}

test('waste is counted as by looking each request up', () => {
  fc.assert(
    fc.property(histogram, table, (requests, tiers) => {
      const used = wasteByTier(requests, tiers);
      const total = totalWaste(used);
      expect(total.wastedBytes).toBe(wastedBytes(requests, tiers));
      const served = pooled(requests, tiers.at(-1) as number);
      expect(used.reduce((sum, tier) => sum + tier.requests, 0)).toBe(
        served.reduce((sum, { count }) => sum + count, 0),
      );
      for (const { share } of [total, ...used]) expect(share).toSatisfy((s: number) => s >= 0 && s < 1);
    }),
  );
});

test('the best table never wastes more than the one in use, with no more tiers for the requests, and pools all that was pooled', () => {
  fc.assert(
    fc.property(histogram, table, (requests, tiers) => {
      const used = wasteByTier(requests, tiers);
      const largest = tiers.at(-1) as number;
      const best = bestTiers(requests, used.length, largest);
      expect(wastedBytes(requests, best)).toBeLessThanOrEqual(wastedBytes(requests, tiers));
      expect(wasteByTier(requests, best).length).toBeLessThanOrEqual(used.length);
      expect(best.at(-1)).toBe(largest);
      expect(best).toEqual(ascending([...new Set(best)]));
    }),
    { numRuns: 1000 },
  );
});

test('no table of entries is better: every one of them is tried', () => {
  const short = histogram.map((entries) => entries.filter(({ count }) => count > 0).slice(0, 8));
  fc.assert(
    fc.property(short, fc.integer({ min: 1, max: 8 }), (requests, most) => {
      fc.pre(requests.length > 0);
      const sizes = requests.map((entry) => entry.size);
      const largest = sizes.at(-1) as number;
      let least = Number.POSITIVE_INFINITY;
      let shortest = 0;
      for (let chosen = 0; chosen < 2 ** (sizes.length - 1); chosen++) {
        const tiers = sizes.filter((_, i) => i === sizes.length - 1 || chosen & (1 << i));
        if (tiers.length > most) continue;
        const wasted = wastedBytes(requests, tiers);
        if (wasted < least || (wasted === least && tiers.length < shortest)) [least, shortest] = [wasted, tiers.length];
      }
      const best = bestTiers(requests, most, largest);
      expect([wastedBytes(requests, best), best.length]).toEqual([least, shortest]);
    }),
    { numRuns: 500 },
  );
});

test('without requests: the largest tier alone', () => {
  expect(bestTiers([], 4, 1024)).toEqual([1024]);
  expect(bestTiers([{ size: 2048, count: 5 }], 4, 1024)).toEqual([1024]);
  expect(bestTiers([{ size: 512, count: 0 }], 4, 1024)).toEqual([1024]);
});

test('as many entries and tiers as there can be', () => {
  const requests = Array.from({ length: 400 }, (_, i) => ({ size: 64 * (i + 1), count: 1 + ((i * 7919) % 1000) }));
  expect(bestTiers(requests, 128, 2 ** 30)).toHaveLength(129);
});
