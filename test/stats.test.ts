import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, detach, heapOf, KiB, MiB } from './backends.js';

describe.each(BACKENDS)('stats on the %s core', (backend) => {
  test('of a pool that nobody has used', () => {
    const pool = new BufferPool({ name: 'fresh', backend, maxBytes: 8 * MiB, maxOversizeBytes: 9 * MiB });
    expect(pool.stats()).toMatchObject({
      name: 'fresh',
      backend,
      maxBytes: 8 * MiB,
      residentBytes: 0,
      leasedBytes: 0,
      cachedBytes: 0,
      retiredBytes: 0,
      coldBytes: 0,
      acquires: 0,
      outstanding: 0,
      exhausted: 0,
      hits: { magazine: 0, depot: 0, steal: 0, victim: 0, cold: 0, slab: 0 },
      hitRate: 1,
      oversize: { maxBytes: 9 * MiB, leasedBytes: 0, outstanding: 0, acquires: 0, refused: 0 },
      mappedBlocks: 0,
      overheadBytes: 0,
    });
    expect(pool.stats().classes.map(({ capacity }) => capacity)).toEqual(pool.tiers);
    checkBooks(pool);
    pool.close();
  });

  test('what is out is told from what is cached', () => {
    const pool = new BufferPool({ backend });
    const leases = pool.acquireMany(64 * KiB, 5);
    checkBooks(pool);
    const { leasedBytes, residentBytes, outstanding, acquires, mappedBlocks, overheadBytes } = pool.stats();
    expect(leasedBytes).toBe(5 * 64 * KiB);
    expect(residentBytes).toBeGreaterThanOrEqual(leasedBytes);
    expect([outstanding, acquires]).toEqual([5, 5]);
    expect(mappedBlocks).toBeGreaterThanOrEqual(5);
    expect(overheadBytes).toBeGreaterThan(0);
    pool.releaseMany(leases);
    expect(pool.stats()).toMatchObject({ leasedBytes: 0, cachedBytes: residentBytes, residentBytes });
    checkBooks(pool);
    pool.close();
  });

  test('each acquire is a hit of one step, from the slab out to the magazine', () => {
    const pool = new BufferPool({ backend, tiers: [128 * KiB] });
    const batch = heapOf(pool).core.batch(0);
    expect(batch).toBe(2);
    const leases = pool.acquireMany(128 * KiB, 10);
    const first = pool.stats().hits;
    expect(first.slab + first.cold).toBe(5);
    expect(first.magazine).toBe(5);

    pool.releaseMany(leases);
    heapOf(pool).flushAll();
    pool.releaseMany(pool.acquireMany(128 * KiB, 10));
    expect(pool.stats().hits).toEqual({ ...first, magazine: 5 + 5, depot: 5 });
    expect(pool.stats().hitRate).toBe(15 / 20);

    heapOf(pool).flushAll();
    heapOf(pool).core.age();
    pool.releaseMany(pool.acquireMany(128 * KiB, 10));
    expect(pool.stats().hits).toEqual({ ...first, magazine: 5 + 5 + 5, depot: 5, victim: 5 });

    pool.trim();
    pool.releaseMany(pool.acquireMany(128 * KiB, 10));
    expect(pool.stats().hits).toMatchObject({ slab: first.slab, cold: first.cold + 5, magazine: 4 * 5 });
    checkBooks(pool);
    pool.close();
  });

  test('the batch of a tier is the same on both cores: about 128 KiB, or 4 blocks of up to 256 KiB', () => {
    const pool = new BufferPool({ backend });
    const { core } = heapOf(pool);
    for (const [c, capacity] of pool.tiers.entries()) {
      const blocks = Math.max(1, (128 * KiB) / capacity, Math.min(4, (256 * KiB) / capacity));
      expect(core.batch(c)).toBe(Math.min(32, 2 ** Math.floor(Math.log2(blocks))));
    }
    pool.close();
  });

  test('steps stay counts when refills bring nothing but detached blocks', async () => {
    const pool = new BufferPool({ backend, tiers: [MiB] });
    const leases = pool.acquireMany(MiB, 40);
    const views = leases.map(({ bytes }) => bytes);
    pool.releaseMany(leases);
    const taken = views.map((view) => detach(view));
    pool.acquire(MiB).release();
    await Promise.all(taken);
    const { retiredBytes, hits, hitRate } = pool.stats();
    expect(retiredBytes).toBe(40 * MiB);
    // More refills than acquires, so their sum says nothing here.
    for (const n of [...Object.values(hits), hitRate]) expect(n).toBeGreaterThanOrEqual(0);
    expect(hitRate).toBeLessThanOrEqual(1);
    pool.close();
  });

  test('a snapshot does not change afterwards', () => {
    const pool = new BufferPool({ backend });
    const before = pool.stats();
    const copy = structuredClone(before);
    using lease = pool.acquire(100);
    expect(lease.size).toBe(100);
    expect(before).toEqual(copy);
  });
});
