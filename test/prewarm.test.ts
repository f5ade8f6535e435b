import { BufferPool, type SlabPoolError } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';

describe.each(BACKENDS)('B6: prewarm() on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ backend, maxBytes: 64 * MiB, leakDetection: 'full' });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  /** What traffic moves. */
  const traffic = () => {
    const { acquires, hits, misses, hitRate, requests, holds, exhausted, waits, drops } = pool.stats();
    return { acquires, hits, misses, hitRate, requests, holds, exhausted, waits, drops };
  };

  test('is no traffic: no counter moves, and diagnose() says what it said', () => {
    for (let i = 0; i < 2000; i++) pool.acquire(64 * KiB).release();
    const before = traffic();
    const findings = pool.diagnose().findings.map(({ id }) => id);
    for (const size of [1, 1280, 4 * KiB, 64 * KiB]) pool.prewarm(size, 200);
    expect(() => pool.prewarm(MiB, 1000)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(traffic()).toEqual(before);
    expect(pool.diagnose().findings.map(({ id }) => id)).toEqual(findings);
  });

  test('over the budget changes nothing, and says what is possible, which is', () => {
    pool.releaseMany(pool.acquireMany(MiB, 20));
    const lease = pool.acquire(4 * KiB);
    const before = pool.stats();
    let error: SlabPoolError | undefined;
    for (const count of [1e9, Number.MAX_SAFE_INTEGER]) {
      try {
        pool.prewarm(4 * KiB, count);
      } catch (thrown) {
        error = thrown as SlabPoolError;
      }
      expect(error).toMatchObject({
        code: 'ERR_SLABPOOL_EXHAUSTED',
        message: expect.stringMatching(/so \d+ of them can be ready, and none was made/),
        details: { capacityBytes: 4 * KiB, count, maxBytes: 64 * MiB, residentBytes: before.residentBytes },
      });
      expect(pool.stats()).toMatchObject({
        residentBytes: before.residentBytes,
        cachedBytes: before.cachedBytes,
        coldBytes: before.coldBytes,
        mappedBlocks: before.mappedBlocks,
        exhausted: 0,
        drops: { exhaustedBytes: 0 },
      });
    }
    const possible = error?.details['possible'] as number;
    const free = before.classes.find(({ capacity }) => capacity === 4 * KiB)?.cachedBytes as number;
    expect(possible).toBe((64 * MiB - before.residentBytes + free) / (4 * KiB));
    expect(() => pool.prewarm(4 * KiB, possible + 1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    pool.prewarm(4 * KiB, possible);
    expect(pool.stats()).toMatchObject({ residentBytes: 64 * MiB, drops: { exhaustedBytes: 0 } });
    lease.release();
  });

  test('counts what is free already, so that a second one does nothing', () => {
    pool.prewarm(64 * KiB, 100);
    const { residentBytes, mappedBlocks } = pool.stats();
    expect([residentBytes, mappedBlocks]).toEqual([100 * 64 * KiB, 100]);
    pool.prewarm(64 * KiB, 100);
    pool.prewarm(60 * KiB, 50);
    expect(pool.stats()).toMatchObject({ residentBytes, mappedBlocks });
    const leases = pool.acquireMany(64 * KiB, 100);
    expect(pool.stats()).toMatchObject({ residentBytes, mappedBlocks, misses: 0 });
    pool.releaseMany(leases);
  });

  test('keeps what is in a free block, for those who look for poison', () => {
    const debug = new BufferPool({ backend, tiers: [8 * KiB], debug: 'poison' });
    debug.releaseMany(debug.acquireMany(8 * KiB, 10));
    debug.prewarm(8 * KiB, 50);
    debug.releaseMany(debug.acquireMany(8 * KiB, 50));
    expect(debug.stats().leaks.writtenAfterRelease).toBe(0);
    checkBooks(debug);
    debug.close();
  });

  test('is not ahead of those who wait', async () => {
    const small = new BufferPool({ backend, tiers: [64 * KiB], maxBytes: 128 * KiB });
    const leases = small.acquireMany(64 * KiB, 2);
    const waits = small.acquireAsync(64 * KiB);
    expect(() => small.prewarm(64 * KiB, 1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED', /1 requests wait/));
    expect(small.stats().exhausted).toBe(0);
    small.releaseMany(leases);
    (await waits).release();
    small.prewarm(64 * KiB, 2);
    small.close();
  });
});
