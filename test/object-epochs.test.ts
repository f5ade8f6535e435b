import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { checkBooks, storeOf, thingPool } from './objects.js';

describe('epochs', () => {
  test('what lies idle for two of them is dropped and destroyed, the rest is not', () => {
    const { pool, made, turn } = thingPool();
    const leases = Array.from({ length: 10 }, () => pool.acquire());
    for (const lease of leases) lease.release();
    turn(); // of the epoch in which they came
    expect(pool.stats()).toMatchObject({ idle: 10, victims: 0 });
    turn();
    expect(pool.stats()).toMatchObject({ idle: 10, victims: 10 });
    pool.acquire().release(); // the warmest, number 9
    expect(pool.stats()).toMatchObject({ victims: 9 });
    turn();
    expect(pool.stats()).toMatchObject({ idle: 1, dropped: 9, drops: { decayed: 9 }, victims: 0 });
    expect(made.map(({ destroyed }) => destroyed)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    checkBooks(pool);
    turn();
    turn();
    expect(pool.stats()).toMatchObject({ idle: 0, dropped: 10 });
    checkBooks(pool);
    pool.close();
  });

  test.each([1, 2, 3, 7, 20, 64, 500])('%i in use: those are kept, and at most as many again', (used) => {
    const { pool, turn } = thingPool({ leakDetection: 'off' });
    pool.prewarm(1000);
    for (let epoch = 0; epoch < 20; epoch++) {
      const leases = Array.from({ length: used }, () => pool.acquire());
      for (const lease of leases) lease.release();
      turn();
      checkBooks(pool);
    }
    const { idle, misses } = pool.stats();
    expect(misses).toBe(0);
    expect(idle).toBeGreaterThanOrEqual(used);
    expect(idle).toBeLessThanOrEqual(2 * used);
    pool.close();
  });

  test('acquires that lower the mark are few', () => {
    const { pool, turn } = thingPool({ leakDetection: 'off' });
    pool.prewarm(1000);
    turn();
    const { idle } = storeOf(pool);
    const floors = new Set<number>();
    for (let i = 0; i < 1000; i++) {
      pool.acquire();
      floors.add(idle.floor);
    }
    expect(floors.size).toBeLessThan(12);
    expect(pool.stats().misses).toBe(0);
    pool.close();
  });

  test('victims that are wanted are no victims', () => {
    const { pool, turn } = thingPool();
    pool.prewarm(5);
    turn();
    turn();
    expect(pool.stats().victims).toBe(5);
    const leases = Array.from({ length: 5 }, () => pool.acquire());
    for (const lease of leases) lease.release();
    turn();
    expect(pool.stats()).toMatchObject({ idle: 5, dropped: 0 });
    pool.close();
  });

  test('the stack gives its own memory back', () => {
    const { pool, turn } = thingPool({ maxIdle: 2 ** 20, leakDetection: 'off' });
    pool.prewarm(100_000);
    expect(storeOf(pool).idle.values.length).toBeGreaterThanOrEqual(100_000);
    pool.trim();
    expect(storeOf(pool).idle.values.length).toBe(16);
    pool.prewarm(100_000);
    for (let epoch = 0; epoch < 4; epoch++) {
      const leases = Array.from({ length: 100 }, () => pool.acquire());
      for (const lease of leases) lease.release();
      turn();
    }
    expect(storeOf(pool).idle.values.length).toBeLessThanOrEqual(1024);
    checkBooks(pool);
    const leases = Array.from({ length: 100 }, () => pool.acquire());
    for (const lease of leases) lease.release();
    checkBooks(pool);
    pool.close();
  });
});

describe('the timer', () => {
  /** Long enough for a machine that has other things to do. */
  async function until(what: () => boolean): Promise<void> {
    for (let tries = 0; tries < 1000 && !what(); tries++) await setTimeout(10);
    expect(what()).toBe(true);
  }

  test.each([
    ['by themselves', {}],
    ['through callbacks', { keep: () => true, resetOn: 'release' as const }],
  ])('ends epochs for what is released %s, again and again', async (_, options) => {
    const { pool, made } = thingPool({ epochMs: 10, ...options });
    for (let round = 1; round <= 3; round++) {
      const leases = Array.from({ length: 20 }, () => pool.acquire());
      for (const lease of leases) lease.release();
      await until(() => pool.stats().idle === 0);
      checkBooks(pool);
    }
    expect(made.every(({ destroyed }) => destroyed === 1)).toBe(true);
    pool.close();
  });

  test('with an epoch of 0 nothing is dropped', async () => {
    const { pool } = thingPool({ epochMs: 0 });
    pool.prewarm(3);
    await setTimeout(30);
    expect(pool.stats().idle).toBe(3);
    pool.close();
  });
});
