import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import { ObjectPool } from 'slabpool/object';
import { describe, expect, test } from 'vitest';
import { coded } from './backends.js';
import { collect, collectedUntil, leakEvents } from './leaking.js';
import { checkBooks, thingPool } from './objects.js';

const HERE = /object-leaks\.test\.ts:\d+/;
const { events } = leakEvents();

describe('leaks of objects', () => {
  test('a lease that is collected unreleased is reported, and its object is its holder’s own', async () => {
    const { pool, made } = thingPool({ leakDetection: 'full' });
    (() => pool.acquire().touch('here'))();
    expect(pool.outstanding()).toBe(1);
    await collectedUntil(() => pool.outstanding() === 0);
    expect(events).toMatchObject([
      {
        pool: 'things',
        size: 0,
        capacity: 0,
        count: 1,
        thread: 0,
        site: expect.stringMatching(HERE),
        touches: [{ hint: 'here' }],
      },
    ]);
    expect(pool.stats()).toMatchObject({ created: 1, leaks: { collected: 1, tracked: 0 } });
    expect(made[0]?.destroyed).toBe(0);
    expect(pool.acquire().value).toBe(made[1]);
    expect(() => pool.assertNoLeaks()).toThrow(
      coded(
        'ERR_SLABPOOL_LEAK',
        /expected every lease to be released, but 1 is out\. Of those that are tracked: 1 acquired at/,
      ),
    );
    checkBooks(pool);
    pool.close();
  });

  test('the pool refers to no object whose lease is out or forgotten', async () => {
    const pool = new ObjectPool({ create: () => ({ large: new Uint8Array(1000) }), leakDetection: 'off', epochMs: 0 });
    const refs = (() => {
      const leases = Array.from({ length: 10 }, () => pool.acquire());
      for (const lease of leases) lease.release();
      return Array.from({ length: 10 }, () => new WeakRef(pool.acquire().value));
    })();
    await collect();
    expect(refs.map((ref) => ref.deref())).toEqual(Array(10).fill(undefined));
    // Nobody tracked them.
    expect(pool.outstanding()).toBe(10);
    pool.close();
  });

  test('what is kept or released is no leak', async () => {
    for (const options of [{}, { keep: () => true }]) {
      const { pool } = thingPool({ leakDetection: 'full', ...options });
      const kept = pool.acquire();
      (() => {
        for (let i = 0; i < 50; i++) pool.acquire().release();
        pool.borrow(() => {});
      })();
      await collect();
      expect([events.length, pool.stats().leaks.collected, pool.outstanding()]).toEqual([0, 0, 1]);
      kept.release();
      checkBooks(pool);
      pool.close();
    }
  });

  test('leases that are forgotten are reported after their pool was closed as well', async () => {
    const { pool } = thingPool({ leakDetection: 'full' });
    (() => void pool.acquire())();
    await setTimeout(1);
    pool.close();
    await collectedUntil(() => events.length > 0);
    expect(events).toMatchObject([{ pool: pool.name }]);
  });

  test('a pool that is dropped is collected, timer and all', async () => {
    const ref = (() => {
      const pool = new ObjectPool({ create: () => ({}), epochMs: 2 ** 31 - 1, leakDetection: 'full' });
      pool.acquire().release();
      return new WeakRef(pool);
    })();
    await collect();
    expect(ref.deref()).toBeUndefined();
  });

  test('a subscriber that closes the pool breaks nothing', async () => {
    const { pool } = thingPool({ leakDetection: 'full' });
    const close = () => pool.close();
    subscribe('slabpool:leak', close);
    (() => void [pool.acquire(), pool.acquire()])();
    await collectedUntil(() => events.length > 0);
    unsubscribe('slabpool:leak', close);
    expect(() => pool.outstanding()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test.each([{}, { keep: () => true }])("'sampled' tracks about one in leakSampleRate (%s)", async (options) => {
    const { pool } = thingPool({ leakDetection: 'sampled', leakSampleRate: 64, ...options });
    for (let i = 0; i < 64_000; i++) pool.acquire().release();
    const { holds, leaks } = pool.stats();
    expect(Math.abs(holds.samples - 1000)).toBeLessThan(6 * Math.sqrt(1000));
    expect(leaks).toMatchObject({ detection: 'sampled', sampleRate: 64, tracked: 0 });
    checkBooks(pool);
    pool.close();
  });

  test('by default few are tracked, each comes back, and a leak among many is reported', async () => {
    const { pool } = thingPool({ leakDetection: 'sampled', maxIdle: 1, reset: () => {} });
    for (let i = 0; i < 200_000; i++) pool.acquire().release();
    // What a tracked lease had is back at once.
    expect(pool.stats().created).toBe(1);
    expect(pool.stats().holds.samples).toBeGreaterThan(0);
    checkBooks(pool);
    for (let i = 0; i < 40_000; i++) pool.acquire();
    await collectedUntil(() => events.length > 0);
    expect(events[0]?.site).toMatch(HERE);
    checkBooks(pool);
    pool.close();
  });

  test('trackedLeases() lists what is out, oldest first', async () => {
    const { pool } = thingPool({ leakDetection: 'full' });
    const leases = [pool.acquire(), pool.acquire()];
    leases[1]?.touch('second');
    const listed = pool.trackedLeases();
    expect(listed).toMatchObject([
      { touches: [] },
      { touches: [{ hint: 'second', stack: expect.stringMatching(HERE) }] },
    ]);
    expect(listed[0]?.site).toMatch(HERE);
    expect(pool.trackedLeases({ olderThanMs: Infinity })).toEqual([]);
    for (const lease of leases) lease.release();
    expect(pool.trackedLeases()).toEqual([]);
    pool.close();
  });
});
