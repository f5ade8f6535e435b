import assert from 'node:assert/strict';
import fc from 'fast-check';
import { BufferPool, type Lease, type SlabPoolError } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, fill, holdsPattern, KiB, MiB, PAGE } from './backends.js';

describe.each(BACKENDS)('the budget on the %s core', (backend) => {
  test('what does not fit is refused with the figures that explain it', () => {
    const pool = new BufferPool({ name: 'small', backend, maxBytes: 4 * MiB });
    const leases = pool.acquireMany(MiB, 3);
    leases.push(...pool.acquireMany(256 * KiB, 3));
    void detach(leases[0].bytes);
    leases[0].release();
    expect(() => pool.acquire(512 * KiB)).toThrow(
      coded(
        'ERR_SLABPOOL_EXHAUSTED',
        /pool 'small': a block of 524288 bytes .*maxBytes 4194304, 3932160 are in use.*raise/,
        {
          pool: 'small',
          details: {
            capacityBytes: 512 * KiB,
            maxBytes: 4 * MiB,
            leasedBytes: 2 * MiB + 768 * KiB,
            inFlightBytes: 0,
            cachedBytes: 0,
            quarantinedBytes: 0,
            retiredBytes: MiB,
            pinnedBytes: 0,
            waiting: 0,
          },
        },
      ),
    );
    expect(pool.stats().exhausted).toBe(1);
    leases[1].release();
    pool.acquire(512 * KiB).release();
    expect(pool.stats().exhausted).toBe(1);
    checkBooks(pool);
    pool.close();
  });

  test('A3: figures of a refusal are those of when they are read, also after the pool has ended', () => {
    const pool = new BufferPool({ backend, tiers: [64 * KiB], maxBytes: 128 * KiB });
    const leases = pool.acquireMany(64 * KiB, 2);
    const refused = () => {
      try {
        pool.acquire(1);
      } catch (error) {
        return error as SlabPoolError;
      }
      throw new Error('expected a refusal');
    };
    const [first, second] = [refused(), refused()];
    expect(first.details).toMatchObject({ leasedBytes: 128 * KiB, cachedBytes: 0 });
    pool.releaseMany(leases);
    expect(first.details).toMatchObject({ leasedBytes: 128 * KiB, cachedBytes: 0 });
    pool.close();
    expect(second.details).toEqual({ capacityBytes: 64 * KiB, maxBytes: 128 * KiB });
    expect(JSON.stringify(second)).toContain('ERR_SLABPOOL_EXHAUSTED');
  });

  test('acquireMany that does not fit leases nothing', () => {
    const pool = new BufferPool({ backend, maxBytes: 4 * MiB });
    using held = pool.acquire(MiB);
    expect(() => pool.acquireMany(MiB, 4)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(pool.outstanding()).toBe(1);
    checkBooks(pool);
    const leases = pool.acquireMany(MiB, 3);
    expect(leases.every((lease) => lease.buffer !== held.buffer)).toBe(true);
    pool.releaseMany(leases);
  });

  test.each([
    [4 * KiB, MiB],
    [KiB, MiB],
    [KiB, 4 * KiB],
    [MiB, 4 * KiB],
    [MiB, KiB],
    [5 * KiB, 768 * KiB],
  ])('idle blocks of %i bytes do not stand in the way of one of %i', (idle, wanted) => {
    const maxBytes = 8 * MiB;
    const pool = new BufferPool({ backend, maxBytes });
    const leases: Lease[] = [];
    const toTheBrim = () => {
      for (;;) leases.push(pool.acquire(idle));
    };
    expect(toTheBrim).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(leases.length * idle).toBeGreaterThan(0.75 * maxBytes);
    expect(() => pool.acquire(wanted)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    pool.releaseMany(leases);
    const count = Math.floor((0.75 * maxBytes) / wanted);
    pool.releaseMany(pool.acquireMany(wanted, count));
    expect(pool.stats().exhausted).toBe(2);
    checkBooks(pool);
    pool.close();
  });

  test.each([4 * KiB, 5000, 6 * KiB, 64 * KiB, 100_000])(
    'a budget of %i bytes is enough for each default tier',
    (maxBytes) => {
      const pool = new BufferPool({ backend, maxBytes });
      for (const tier of pool.tiers) {
        using lease = pool.acquire(tier);
        expect(lease.capacity).toBe(tier);
        checkBooks(pool);
      }
      pool.close();
    },
  );

  test('a random walk over page-sized tiers: refused exactly when what is out and lost leaves no room', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 1, max: 64 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 64, max: 200 }),
        steps(),
        (pages, budget, walk) => {
          const tiers = pages.sort((a, b) => a - b).map((n) => n * PAGE);
          const refusals = run(new BufferPool({ backend, tiers, maxBytes: budget * PAGE }), walk);
          for (const { capacity, taken } of refusals) expect(taken + capacity).toBeGreaterThan(budget * PAGE);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a random walk over tiers of any size', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 8, max: 100_000 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 200_000, max: 3_000_000 }),
        steps(),
        (capacities, maxBytes, walk) => {
          run(new BufferPool({ backend, tiers: capacities.sort((a, b) => a - b), maxBytes }), walk);
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** `at` picks a size or a lease, as a fraction of what there is to pick from. */
interface Step {
  readonly kind: 'acquire' | 'acquireMany' | 'release' | 'releaseMany' | 'detach' | 'trim' | 'prewarm';
  readonly at: number;
  readonly count: number;
}

function steps(): fc.Arbitrary<Step[]> {
  const kind = fc.oneof(
    { arbitrary: fc.constant('acquire' as const), weight: 8 },
    { arbitrary: fc.constantFrom('acquireMany' as const, 'release' as const), weight: 4 },
    {
      arbitrary: fc.constantFrom('releaseMany' as const, 'detach' as const, 'trim' as const, 'prewarm' as const),
      weight: 1,
    },
  );
  const at = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  return fc.array(fc.record({ kind, at, count: fc.integer({ min: 0, max: 40 }) }), { maxLength: 80, size: 'max' });
}

/** What a refused acquire wanted, and what the budget could not take back: bytes leased or retired. */
interface Refusal {
  readonly capacity: number;
  readonly taken: number;
}

/**
 * Takes the steps on `pool`, against a model of it that knows only which leases are out, with what in them. What is asked of each lease is
 * asked with `assert`, which is much quicker than `expect`.
 */
function run(pool: BufferPool, walk: readonly Step[]): Refusal[] {
  const live = new Map<Lease, number>();
  const refusals: Refusal[] = [];
  const blockBytes = new Map(pool.stats().classes.map((k) => [k.capacity, k.blockBytes]));
  const bytesOf = (capacity: number) => blockBytes.get(capacity) as number;
  let detached = new Map<Lease, number>();
  let retiredBytes = 0;
  let pattern = 0;
  let exhausted = 0;

  const leasedBytes = () =>
    [...live.keys()].reduce((sum, { capacity }) => sum + bytesOf(capacity), 0) +
    [...detached.values()].reduce((sum, capacity) => sum + bytesOf(capacity), 0);
  const own = (lease: Lease, size: number) => {
    assert.equal(lease.size, size);
    assert.equal(
      lease.capacity,
      pool.tiers.find((tier) => tier >= size),
    );
    fill(lease, ++pattern);
    live.set(lease, pattern);
  };
  const end = (leases: readonly Lease[], release: () => void) => {
    for (const lease of leases) {
      assert(holdsPattern(lease, live.get(lease) as number));
      live.delete(lease);
    }
    release();
  };
  const attempt = (size: number, count: number, take: () => void) => {
    const before = leasedBytes() + retiredBytes;
    try {
      take();
    } catch (error) {
      expect((error as SlabPoolError).code).toBe('ERR_SLABPOOL_EXHAUSTED');
      exhausted++;
      const capacity = pool.tiers.find((tier) => tier >= size) as number;
      refusals.push({ capacity, taken: before + (count - 1) * bytesOf(capacity) });
    }
  };

  // B6: all or nothing, no traffic, and what is said to be possible is.
  const prewarm = (size: number, count: number) => {
    const { acquires, hits, residentBytes, cachedBytes, drops } = pool.stats();
    let possible = count;
    try {
      pool.prewarm(size, count);
    } catch (error) {
      const { code, details } = error as SlabPoolError;
      expect(code).toBe('ERR_SLABPOOL_EXHAUSTED');
      expect(pool.stats()).toMatchObject({ residentBytes, cachedBytes });
      possible = details['possible'] as number;
      expect(possible).toBeLessThan(count);
      pool.prewarm(size, possible);
    }
    expect(pool.stats()).toMatchObject({ acquires, hits, drops });
    const tier = pool.stats().classes.find(({ capacity }) => capacity >= size);
    expect(tier?.cachedBytes).toBeGreaterThanOrEqual(possible * bytesOf(tier?.capacity as number));
  };

  for (const { kind, at, count } of walk) {
    const size = Math.floor(at * (pool.maxPooledSize + 1));
    const picked = [...live.keys()].slice(Math.floor(at * live.size));
    if (kind === 'acquire') attempt(size, 1, () => own(pool.acquire(size), size));
    if (kind === 'acquireMany') {
      attempt(size, count, () => {
        for (const lease of pool.acquireMany(size, count)) own(lease, size);
      });
    }
    if (kind === 'prewarm') prewarm(size, count);
    if (kind === 'release' && picked.length > 0) end([picked[0]], () => picked[0].release());
    if (kind === 'releaseMany') end(picked, () => pool.releaseMany(picked));
    if (kind === 'trim') {
      expect(pool.trim()).toBeGreaterThanOrEqual(0);
      for (const [lease, capacity] of detached) {
        lease.release();
        retiredBytes += bytesOf(capacity);
      }
      detached = new Map();
    }
    if (kind === 'detach' && picked.length > 0) {
      detached.set(picked[0], picked[0].capacity);
      live.delete(picked[0]);
      void detach(picked[0].bytes);
    }
    assert.equal(pool.outstanding(), live.size + detached.size);
    const stats = pool.stats();
    assert.deepEqual(
      [stats.leasedBytes, stats.retiredBytes, stats.exhausted],
      [leasedBytes(), retiredBytes, exhausted],
    );
    checkBooks(pool);
  }
  for (const [lease, written] of live) expect(holdsPattern(lease, written)).toBe(true);
  pool.close();
  return refusals;
}
