import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { BufferPool, type BufferPoolOptions, type Lease } from 'slabpool';
import { afterEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, heapOf, KiB, MiB } from './backends.js';
import { collect, collectedUntil, gc, leakEvents } from './leaking.js';

const HERE = /leaks\.test\.ts:\d+/;
const { events, listen } = leakEvents();

describe.each(BACKENDS)('leaks on the %s core', (backend) => {
  let pool: BufferPool;
  const open = (options: BufferPoolOptions = {}) => {
    pool = new BufferPool({ name: 'leaky', backend, leakDetection: 'full', ...options });
  };
  afterEach(() => pool.close());

  const leak = (size = 5000) => void pool.acquire(size);
  const tryAcquire = (size: number) => {
    try {
      return pool.acquire(size);
    } catch {
      return null;
    }
  };

  test.each([
    [64 * KiB, 256],
    [4 * KiB, 2048],
  ])(
    'B3: with the defaults, a leak of all of a budget is published before it is all gone (%i bytes, %i leases)',
    async (size, all) => {
      pool = new BufferPool({ name: 'leaky', backend, maxBytes: size * all, tiers: [size] });
      let leaked = 0;
      for (; leaked < all && events.length === 0; leaked++) {
        leak(size);
        if (leaked % (all / 8) !== all / 8 - 1) continue;
        gc();
        await setTimeout(5);
        gc();
        await setTimeout(5);
      }
      expect(leaked).toBeLessThan(all);
      expect(events[0]).toMatchObject({ pool: 'leaky', site: expect.stringMatching(HERE) });
      // And whoever looks finds those who are left.
      const rest: Lease[] = [];
      for (let lease = tryAcquire(size); lease !== null; lease = tryAcquire(size)) rest.push(lease);
      expect(pool.trackedLeases().length).toBeGreaterThan(0);
      pool.releaseMany(rest);
      // What is collected gives its block back.
      await collectedUntil(() => {
        const { outstanding, leaks } = pool.stats();
        return leaks.collected > 0 && outstanding === leaked - leaks.collected;
      });
    },
  );

  test('a lease that is collected unreleased is reported, and its block comes back', async () => {
    open({ tiers: [64 * KiB], maxBytes: 64 * KiB });
    leak();
    expect(pool.outstanding()).toBe(1);
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    await collectedUntil(() => pool.outstanding() === 0);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      pool: 'leaky',
      size: 5000,
      capacity: 64 * KiB,
      count: 1,
      thread: 0,
      touches: [],
    });
    expect(events[0].site).toMatch(HERE);
    expect(events[0].stack).toMatch(/^ {4}at .*leaks\.test\.ts/);
    expect(events[0].ageMs).toBeGreaterThan(0);
    expect(pool.stats().leaks).toMatchObject({ detection: 'full', sampleRate: 1, tracked: 0, collected: 1 });
    pool.assertNoLeaks();
    pool.borrow(1, ({ bytes }) => expect(bytes).toHaveLength(64 * KiB));
    checkBooks(pool);
  });

  test('each site is published once, with a count that later leaks raise', async () => {
    open();
    for (let i = 0; i < 3; i++) leak();
    await collectedUntil(() => pool.stats().leaks.collected === 3);
    leak();
    void pool.acquire(100);
    await collectedUntil(() => pool.stats().leaks.collected === 5 && pool.outstanding() === 0);
    expect(events.map(({ count }) => count).sort()).toEqual([1, 4]);
    expect(new Set(events.map(({ site }) => site)).size).toBe(2);
    checkBooks(pool);
  });

  test('a leak before somebody subscribes is published with the next one of its site', async () => {
    open();
    unsubscribe('slabpool:leak', listen);
    leak();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    subscribe('slabpool:leak', listen);
    leak();
    await collectedUntil(() => pool.stats().leaks.collected === 2);
    expect(events.map(({ count }) => count)).toEqual([2]);
  });

  test('a view that outlives its lease stays its holder’s own, until it is collected as well', async () => {
    open({ tiers: [64 * KiB], maxBytes: 64 * KiB });
    let view: Buffer | null = (() => pool.acquire(1).bytes.fill(7))();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    await collect();
    expect(pool.outstanding()).toBe(1);
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(() => pool.assertNoLeaks()).toThrow(coded('ERR_SLABPOOL_LEAK', HERE));
    expect(view.equals(Buffer.alloc(64 * KiB, 7))).toBe(true);
    checkBooks(pool);
    view = null;
    await collectedUntil(() => pool.outstanding() === 0);
    pool.borrow(1, ({ bytes }) => expect(bytes).toHaveLength(64 * KiB));
    checkBooks(pool);
  });

  test('a view that outlives its lease and its pool is its holder’s own', async () => {
    open();
    const view = (() => pool.acquire(1).bytes.fill(7))();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    pool.close();
    const next = new BufferPool({ backend });
    for (const { bytes } of next.acquireMany(1, 100)) bytes.fill(8);
    expect(view.every((byte) => byte === 7)).toBe(true);
    await collect();
  });

  test('a leaked lease whose ArrayBuffer was taken away: its block is retired', async () => {
    open({ tiers: [64 * KiB] });
    let taken: Promise<Uint8Array> | undefined;
    (() => {
      taken = detach(pool.acquire(1).bytes);
    })();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    expect(pool.stats()).toMatchObject({ outstanding: 0, retiredBytes: 64 * KiB });
    expect((await taken)?.length).toBe(64 * KiB);
    checkBooks(pool);
  });

  test.runIf(backend === 'native')('and so it is when that happens after the leak was seen', async () => {
    open({ tiers: [64 * KiB], epochMs: 20 });
    const view = (() => pool.acquire(1).bytes)();
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    const taken = await detach(view);
    for (let i = 0; i < 100 && pool.outstanding() > 0; i++) await setTimeout(10);
    expect(pool.stats()).toMatchObject({ outstanding: 0, retiredBytes: 64 * KiB });
    expect(taken).toHaveLength(64 * KiB);
    checkBooks(pool);
  });

  test('an owner that the acquiring frame belongs to does not keep its own leaked lease alive', async () => {
    open();
    class Owner {
      lease = this.open();
      open() {
        return pool.acquire(5000);
      }
    }
    void new Owner().lease.size;
    await collectedUntil(() => pool.stats().leaks.collected === 1);
    expect(events[0].site).toMatch(/Owner\.open.*leaks\.test\.ts/);
  });

  test('a lease that is kept, released, handed over or disposed is no leak', async () => {
    open();
    const kept = pool.acquire(100);
    (() => {
      for (let i = 0; i < 50; i++) pool.acquire(100).release();
      pool.releaseMany(pool.acquireMany(100, 50));
      pool.borrow(100, () => {});
      pool.adopt(pool.acquire(100).transfer()).release();
    })();
    await setTimeout(1);
    (() => pool.releaseMany(pool.acquireMany(100, 50)))();
    await collect();
    expect([events.length, pool.stats().leaks.collected, pool.outstanding()]).toEqual([0, 0, 1]);
    kept.release();
  });

  test('an oversize lease is reported, and its bytes are free again', async () => {
    open({ maxPooledSize: KiB, maxOversizeBytes: MiB });
    leak(MiB);
    expect(() => pool.acquire(MiB)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    await collectedUntil(() => pool.outstanding() === 0);
    expect(events).toMatchObject([{ size: MiB, capacity: MiB }]);
    pool.borrow(MiB, () => {});
    checkBooks(pool);
  });

  test('zero on release holds for leaked blocks as well', async () => {
    open({ zero: 'release', tiers: [4 * KiB], maxBytes: 4 * KiB });
    (() => pool.acquire(1).bytes.fill(0xaa))();
    await collectedUntil(() => pool.outstanding() === 0);
    pool.borrow(1, ({ bytes }) => expect(bytes.equals(Buffer.alloc(4 * KiB))).toBe(true));
    checkBooks(pool);
  });

  test('leases that are forgotten are reported after their pool was closed as well, since they keep its memory', async () => {
    open();
    for (let i = 0; i < 5; i++) leak();
    await setTimeout(1);
    pool.close();
    await collectedUntil(() => events.length > 0);
    expect(events).toMatchObject([{ pool: pool.name }]);
  });

  test('a subscriber that closes the pool, or throws, breaks nothing', async () => {
    open();
    const close = () => pool.close();
    subscribe('slabpool:leak', close);
    for (let i = 0; i < 5; i++) leak();
    await collectedUntil(() => events.length > 0);
    unsubscribe('slabpool:leak', close);
    expect(() => pool.outstanding()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('touch() adds to the record: the latest hints, with stacks', async () => {
    open();
    (() => {
      const lease = pool.acquire(5000);
      for (let i = 0; i < 10; i++) lease.touch(`step ${i}`);
      lease.touch();
    })();
    await collectedUntil(() => events.length === 1);
    expect(events[0].touches.map(({ hint }) => hint)).toEqual([...[3, 4, 5, 6, 7, 8, 9].map((i) => `step ${i}`), '']);
    for (const { atMs, stack } of events[0].touches) {
      expect(atMs).toBeGreaterThanOrEqual(0);
      expect(stack).toMatch(HERE);
    }
  });

  test('trackedLeases() lists what is out, oldest first, and by age', async () => {
    open();
    const old = pool.acquire(100);
    old.touch('parsing');
    await setTimeout(30);
    const young = pool.acquire(5000);
    expect(pool.trackedLeases().map(({ size }) => size)).toEqual([100, 5000]);
    const [oldest] = pool.trackedLeases({ olderThanMs: 25 });
    expect(pool.trackedLeases({ olderThanMs: 25 })).toHaveLength(1);
    expect(oldest).toMatchObject({ size: 100, capacity: KiB, thread: 0, touches: [{ hint: 'parsing' }] });
    expect(oldest.site).toMatch(HERE);
    expect(oldest.ageMs).toBeGreaterThanOrEqual(25);
    expect(pool.trackedLeases({ olderThanMs: Infinity })).toEqual([]);
    pool.releaseMany([old, young]);
    expect(pool.trackedLeases()).toEqual([]);
  });

  test.each([-1, NaN, '5', null])('trackedLeases({ olderThanMs: %s }) is refused', (olderThanMs) => {
    open();
    expect(() => pool.trackedLeases({ olderThanMs: olderThanMs as number })).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /olderThanMs.*a number from 0 \(milliseconds\), got/),
    );
  });

  test('assertNoLeaks() names the sites, without any collection', () => {
    open();
    const leases = [1, 2].map(() => pool.acquire(100));
    leases.push(pool.acquire(5000));
    expect(() => pool.assertNoLeaks()).toThrow(
      coded(
        'ERR_SLABPOOL_LEAK',
        /3 are out: .*2 acquired at .*leaks\.test\.ts:\d+:\d+\)?; 1 acquired at .*leaks\.test\.ts/,
      ),
    );
    pool.releaseMany(leases);
    pool.assertNoLeaks();
  });

  test("'off' tracks nothing, and still counts requests", async () => {
    open({ leakDetection: 'off' });
    leak();
    const lease = pool.acquire(5000);
    lease.touch('ignored');
    await collect();
    expect(pool.trackedLeases()).toEqual([]);
    expect(pool.outstanding()).toBe(2);
    expect(pool.stats()).toMatchObject({
      leaks: { detection: 'off', tracked: 0, collected: 0 },
      holds: { samples: 0, totalMs: 0 },
      requests: [{ count: 2 }],
    });
    lease.release();
  });

  test("'sampled' tracks about one in leakSampleRate, whatever the pattern of sizes", () => {
    open({ leakDetection: 'sampled', leakSampleRate: 64 });
    let bySize = 0;
    for (let i = 0; i < 64_000; i++) {
      const lease = pool.acquire(i % 64 === 0 ? 100_000 : 100);
      if (i % 64 === 0) bySize += pool.trackedLeases().length;
      lease.release();
    }
    const { samples } = pool.stats().holds;
    // 1,000 and 16 are expected: six standard deviations on both sides.
    expect(Math.abs(samples - 1000)).toBeLessThan(6 * Math.sqrt(1000));
    expect(bySize).toBeLessThan(16 + 6 * 4 + 1);
    expect(pool.stats().leaks).toMatchObject({ detection: 'sampled', sampleRate: 64 });
  });

  test('by default, what a program acquires first is left alone, and what it acquires often is sampled', async () => {
    open({ leakDetection: 'sampled' });
    const first = pool.acquireMany(100, 64);
    expect(pool.trackedLeases()).toEqual([]);
    pool.releaseMany(first);
    for (let i = 0; i < 100_000; i++) pool.acquire(100).release();
    const { holds } = pool.stats();
    expect(holds.samples).toBeGreaterThan(0);
    expect(holds.samples).toBeLessThan(80);
    expect(pool.outstanding()).toBe(0);
    checkBooks(pool);
    await collect();
    expect(events).toEqual([]);
  });

  test('by default, a leak among many is reported, and what ends in its turn comes back at once', async () => {
    open({ leakDetection: 'sampled', tiers: [4 * KiB], maxBytes: 4 * KiB });
    // With one block, an acquire fails if the release before it left the block anywhere else.
    for (let i = 0; i < 100_000; i++) pool.acquire(100).release();
    pool.close();
    open({ leakDetection: 'sampled', tiers: [KiB] });
    for (let i = 0; i < 40_000; i++) leak(100);
    await collectedUntil(() => events.length > 0);
    expect(events[0].site).toMatch(HERE);
    expect(pool.stats().leaks.collected).toBeLessThan(100);
    checkBooks(pool);
  });

  test('hold times are those of tracked leases', async () => {
    open();
    const leases = pool.acquireMany(100, 3);
    await setTimeout(20);
    pool.releaseMany(leases);
    const { samples, totalMs } = pool.stats().holds;
    expect(samples).toBe(3);
    expect(totalMs).toBeGreaterThan(3 * 15);
    pool.adopt(pool.acquire(1).transfer()).release();
    expect(pool.stats().holds.samples).toBe(5);
  });

  test('the first 64 requests of a tier are counted, and oversize ones all', () => {
    open({ leakDetection: 'sampled', maxPooledSize: 64 * KiB });
    for (let i = 0; i < 40; i++) pool.acquire(1000).release();
    for (let i = 0; i < 24; i++) pool.acquire(1).release();
    for (let i = 0; i < 100; i++) pool.acquire(MiB).release();
    pool.acquire(5000).release();
    const { requests } = pool.stats();
    expect(requests.map(({ count }) => count)).toEqual([24, 40, 1, 100]);
    expect(requests.map(({ size }) => size)).toEqual([1, 1024, 5120, MiB]);
  });

  test('requests are in buckets that hold their sizes, four to sixteen a doubling, and ascend', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 60 }), (sizes) => {
        const counted = new BufferPool({ backend, leakDetection: 'off', maxPooledSize: 256 * KiB });
        for (const size of sizes) counted.acquire(size).release();
        const { requests } = counted.stats();
        counted.close();
        const left = [...sizes].sort((a, b) => a - b);
        let before = 0;
        for (const { size, count } of requests) {
          expect(size).toBeGreaterThan(before);
          const own = left.splice(0, count);
          expect(own.every((n) => n > before && n <= size && n > size - Math.max(1, size / 4))).toBe(true);
          before = size;
        }
        expect(left).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  test('requests after the first are estimated: their sum is about what was acquired', () => {
    open({ leakDetection: 'off' });
    for (let i = 0; i < 200_000; i++) pool.acquire(i % 2 === 0 ? 3000 : 2900).release();
    const { requests, acquires } = pool.stats();
    expect(acquires).toBe(200_000);
    const sum = requests.reduce((total, { count }) => total + count, 0);
    expect(sum).toBeLessThanOrEqual(acquires);
    expect(sum).toBeGreaterThan(acquires - 4096);
    // A strict pattern, which a fixed interval would see one half of.
    for (const { count } of requests) expect(count / sum).toBeGreaterThan(0.2);
  });
});

test('counts of a tier go on past 2^31', () => {
  const pool = new BufferPool({ leakDetection: 'off', tiers: [KiB] });
  const [magazine] = heapOf(pool).magazines;
  magazine.untilSample = 0;
  magazine.sampleAfter(2 ** 31 - 1);
  magazine.untilSample = 3;
  expect(pool.stats().acquires).toBe(2 ** 31 - 3);
  for (let i = 0; i < 10; i++) pool.acquire(1).release();
  expect(pool.stats().acquires).toBe(2 ** 31 + 7);
  expect(pool.stats().requests).toMatchObject([{ size: 1 }]);
  pool.close();
});

describe('leaks of an attached pool', () => {
  test('options of detection travel with the handle, and records name their thread', async () => {
    const pool = new BufferPool({ leakDetection: 'sampled', leakSampleRate: 1, debug: 'detach' });
    const other = BufferPool.attach(structuredClone(pool.handle));
    expect(other.stats().leaks).toMatchObject({ detection: 'sampled', sampleRate: 1 });
    expect(pool.handle.options).toMatchObject({ debug: 'detach' });
    const ticket = pool.acquire(100).transfer();
    const lease = other.adopt(ticket);
    expect(other.trackedLeases()).toMatchObject([{ thread: 0, size: 100 }]);
    expect(other.trackedLeases()[0].site).toMatch(HERE);
    lease.release();
    other.close();
    pool.close();
  });

  test('an adopted lease that is leaked is reported where it was adopted, and returns to the pool', async () => {
    const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB], maxBytes: 4 * KiB });
    (() => void pool.adopt(pool.acquire(1).transfer()))();
    await collectedUntil(() => pool.outstanding() === 0);
    expect(events).toHaveLength(1);
    pool.borrow(1, () => {});
    checkBooks(pool);
    pool.close();
  });
});
