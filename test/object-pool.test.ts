import { clear, ObjectPool } from 'slabpool/object';
import { describe, expect, test } from 'vitest';
import { coded } from './backends.js';
import { checkBooks, storeOf, type Thing, thingPool } from './objects.js';

/** Whatever is tracked, the contract is the same. */
const DETECTION = ['off', 'sampled', 'full'] as const;

describe.each(DETECTION)("leakDetection: '%s':", (leakDetection) => {
  test('what was released last is leased next, and reset before that', () => {
    const { pool, made } = thingPool({ leakDetection });
    const [first, second] = [pool.acquire(), pool.acquire()];
    expect([first.value, second.value]).toEqual(made);
    first.release();
    second.release();
    expect(made.map(({ resets }) => resets)).toEqual([0, 0]);
    const again = pool.acquire();
    expect([again.value === made[1], made[1]?.resets]).toEqual([true, 1]);
    expect(pool.acquire().value).toBe(made[0]);
    expect(pool.acquire().value).toBe(made[2]);
    // What was just created is as it is to be.
    expect(made.map(({ resets }) => resets)).toEqual([1, 1, 0]);
    expect(pool.stats()).toMatchObject({ acquires: 5, hits: 2, misses: 3, hitRate: 0.4, outstanding: 3, idle: 0 });
    checkBooks(pool);
    pool.close();
  });

  test("resetOn: 'release' resets when an object comes back", () => {
    const { pool, made } = thingPool({ leakDetection, resetOn: 'release' });
    pool.acquire().release();
    expect(made[0]?.resets).toBe(1);
    expect(pool.acquire().value.resets).toBe(1);
    pool.close();
  });

  test('keep is asked before a reset, and what it refuses is destroyed', () => {
    const asked: [number, number][] = [];
    const { pool, made } = thingPool({
      leakDetection,
      resetOn: 'release',
      keep: ({ size, resets }) => {
        asked.push([size, resets]);
        return size < 10;
      },
    });
    for (const size of [1, 10]) {
      const lease = pool.acquire();
      lease.value.size = size;
      pool.release(lease);
    }
    expect(asked).toEqual([
      [1, 0],
      [10, 1],
    ]);
    expect(made).toMatchObject([{ destroyed: 1, resets: 1 }]);
    expect(pool.acquire().value).toBe(made[1]);
    expect(pool.stats()).toMatchObject({ dropped: 1, drops: { vetoed: 1 } });
    checkBooks(pool);
    pool.close();
  });

  test.each([0, 1, 3, 40])('no more than %i are idle', (maxIdle) => {
    const { pool, made } = thingPool({ leakDetection, maxIdle });
    const leases = Array.from({ length: 50 }, () => pool.acquire());
    for (const lease of leases) lease.release();
    expect(pool.stats()).toMatchObject({ idle: maxIdle, drops: { full: 50 - maxIdle }, outstanding: 0, peak: 50 });
    expect(made.filter(({ destroyed }) => destroyed === 1)).toHaveLength(50 - maxIdle);
    checkBooks(pool);
    expect(pool.trim()).toBe(maxIdle);
    expect(made.every(({ destroyed }) => destroyed === 1)).toBe(true);
    checkBooks(pool);
    pool.close();
  });

  test('borrow() lends, and releases when fn returns, throws or its promise settles', async () => {
    const { pool, made } = thingPool({ leakDetection });
    expect(pool.borrow(({ value }) => value.number)).toBe(0);
    const error = new Error('of the program');
    expect(() =>
      pool.borrow(() => {
        throw error;
      }),
    ).toThrow(error);
    const lent = pool.borrow(async ({ value }) => {
      await null;
      return value.number;
    });
    expect(pool.outstanding()).toBe(1);
    expect(await lent).toBe(0);
    await expect(pool.borrow(() => Promise.reject(error))).rejects.toBe(error);
    // It may have released the lease itself.
    pool.borrow((lease) => lease.release());
    expect([pool.outstanding(), made.length]).toEqual([0, 1]);
    pool.close();
  });

  test('borrow() refuses that the object, or its lease, is returned', async () => {
    const { pool } = thingPool({ leakDetection });
    expect(() => pool.borrow(({ value }) => value)).toThrow(
      coded('ERR_SLABPOOL_BORROWED', /pool 'things': borrow\(fn\)/),
    );
    expect(() => pool.borrow((lease) => lease)).toThrow(coded('ERR_SLABPOOL_BORROWED'));
    await expect(pool.borrow(async ({ value }) => value)).rejects.toThrow(coded('ERR_SLABPOOL_BORROWED'));
    expect(pool.outstanding()).toBe(0);
    checkBooks(pool);
    pool.close();
  });

  test('prewarm() makes so many idle, and no acquire', () => {
    const { pool, made } = thingPool({ leakDetection, maxIdle: 100 });
    pool.prewarm(0);
    pool.acquire().release();
    pool.prewarm(10);
    expect([made.length, pool.stats().idle, pool.stats().acquires]).toEqual([10, 10, 1]);
    pool.prewarm(5);
    pool.prewarm(100);
    expect(made).toHaveLength(100);
    const leases = Array.from({ length: 100 }, () => pool.acquire());
    expect([made.length, pool.stats().misses]).toEqual([100, 1]);
    for (const lease of leases) lease.release();
    checkBooks(pool);
    pool.close();
  });

  test('close(): what is idle is destroyed at once, and what is out when it is released; using does it', () => {
    let all: Thing[];
    let late: { release(): void; value: Thing };
    let asked = 0;
    const keep = () => {
      asked++;
      return true;
    };
    {
      const { pool, made } = thingPool({ leakDetection, keep, resetOn: 'release' });
      using closed = pool;
      all = made;
      closed.prewarm(3);
      late = closed.acquire();
    }
    expect(all.map(({ destroyed }) => destroyed)).toEqual([1, 1, 0]);
    expect(late.value).toBe(all[2]);
    late.release();
    // The end of the pool is no time for callbacks about its use.
    expect([all[2], asked]).toMatchObject([{ destroyed: 1, resets: 0 }, 0]);
    expect(() => late.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
  });

  test('using releases a lease, also one that was released', () => {
    const { pool } = thingPool({ leakDetection });
    {
      using lease = pool.acquire();
      using other = pool.acquire();
      other.release();
      expect([lease.released, other.released]).toEqual([false, true]);
    }
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });

  test('bursts of 100,000 come back, warmest first', () => {
    const { pool, made } = thingPool({
      leakDetection: leakDetection === 'full' ? 'sampled' : leakDetection,
      maxIdle: 2 ** 24,
    });
    for (let round = 0; round < 2; round++) {
      const leases = Array.from({ length: 100_000 }, () => pool.acquire());
      for (const lease of leases) lease.release();
    }
    pool.borrow(({ value }) => expect(value.resets).toBe(2));
    expect([made.length, pool.stats().idle, pool.outstanding()]).toEqual([100_000, 100_000, 0]);
    checkBooks(pool);
    expect(pool.trim()).toBe(100_000);
    checkBooks(pool);
    pool.close();
  });
});

test('reset is not called on release, nor destroy, unless they are given', () => {
  const pool = new ObjectPool({ create: () => ({ n: 0 }) });
  pool.acquire().value.n = 5;
  pool.acquire().release();
  expect(pool.acquire().value.n).toBe(0);
  pool.trim();
  pool.close();
});

test('names are counted', () => {
  const names = [1, 2].map(() => new ObjectPool({ create: () => ({}) }).name);
  expect(names[0]).toMatch(/^object-pool-\d+$/);
  expect(names[1]).not.toBe(names[0]);
});

test('counts go on past 2^31', () => {
  const { pool } = thingPool({ leakDetection: 'off' });
  const { idle } = storeOf(pool);
  idle.untilSample = 0;
  idle.sampleAfter(2 ** 31 - 1);
  idle.untilSample = 3;
  const { acquires } = pool.stats();
  for (let i = 0; i < 10; i++) pool.acquire().release();
  expect(acquires + 10).toBeGreaterThan(2 ** 31);
  expect(pool.stats().acquires).toBe(acquires + 10);
  pool.close();
});

describe('clear()', () => {
  test('empties maps, sets and arrays in place', () => {
    const map = new Map([[1, 2]]);
    const set = new Set([1]);
    const list = [1, 2, 3];
    clear(map, set, list, new (class extends Map {})());
    expect([map.size, set.size, list.length]).toEqual([0, 0, 0]);
  });

  test.each([undefined, null, {}, 'text', new WeakMap(), new Uint8Array(3)])('refuses %s', (other) => {
    const before = [1];
    expect(() => clear(before, other as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /^clear\(\.\.\.collections\): expected Maps, Sets and arrays, got/),
    );
    expect(before).toEqual([]);
  });
});
