import { setTimeout } from 'node:timers/promises';
import { BufferPool, type BufferPoolOptions } from 'slabpool';
import { afterEach, describe, expect, test } from 'vitest';
import { checkBooks, KiB } from './backends.js';
import { Member, terminateAll } from './member.js';

afterEach(terminateAll);

const BLOCK = 64 * KiB;

/** Longer than any grant takes to arrive. */
const settle = () => setTimeout(20);

describe('waiting between threads', () => {
  const make = (blocks = 4, options: BufferPoolOptions = {}) =>
    new BufferPool({ backend: 'native', maxBytes: blocks * BLOCK, tiers: [BLOCK], epochMs: 60_000, ...options });

  test('a release in one thread serves who waits in another', async () => {
    const pool = make();
    const member = await Member.start(pool);
    const leases = pool.acquireMany(BLOCK, 4);
    const asked = member.call('acquireAsync', [BLOCK, BLOCK]);
    await settle();
    expect(pool.stats().waits).toMatchObject({ waiting: 2 });
    pool.releaseMany(leases.slice(0, 2));
    expect(await asked).toEqual([0, 1]);
    expect(pool.stats()).toMatchObject({ leasedBytes: 4 * BLOCK, inFlightBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  test('what other threads have in their magazines is asked for', async () => {
    const pool = make();
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', BLOCK, 4));
    await Promise.all(Array.from({ length: 4 }, () => pool.acquireAsync(BLOCK, { timeout: 10_000 })));
    checkBooks(pool);
    pool.close();
  });

  test('a thread that goes on acquiring and releasing lets others have their turn', async () => {
    const pool = make(2);
    const member = await Member.start(pool);
    const own = pool.acquire(BLOCK);
    await member.call('acquireAndRelease', BLOCK); // the other block is in its magazine now
    const asked = pool.acquireAsync(BLOCK, { timeout: 10_000 });
    const going = (async () => {
      for (let i = 0; i < 200; i++) await member.call('acquireAndRelease', BLOCK).catch(() => {});
    })();
    (await asked).release();
    own.release();
    await going;
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });

  test('the order is that of asking, whichever thread asks', async () => {
    const pool = make(1);
    const [one, two] = [await Member.start(pool), await Member.start(pool)];
    const lease = pool.acquire(BLOCK);
    const order: string[] = [];
    const asked: Promise<void>[] = [];
    for (const [name, member] of [
      ['a', one],
      ['b', two],
      ['c', one],
      ['d', two],
    ] as const) {
      asked.push(
        member.call('acquireAsync', [BLOCK]).then(async () => {
          order.push(name);
        }),
      );
      const before = asked.length;
      while (pool.stats().waits.waiting < before) await setTimeout(1);
    }
    lease.release();
    for (const [i, member] of [one, two, one, two].entries()) {
      await asked[i];
      await member.call('release', [(i >> 1) + 1]);
    }
    expect(order).toEqual(['a', 'b', 'c', 'd']);
    checkBooks(pool);
    pool.close();
  });

  test('a thread that dies while it waits is skipped, with what it was just given', async () => {
    const pool = make(2, { epochMs: 20 });
    const members = [await Member.start(pool), await Member.start(pool)];
    const leases = pool.acquireMany(BLOCK, 2);
    const lost = members.map((member) => member.call('acquireAsync', [BLOCK, BLOCK, BLOCK]).catch(() => 'dead'));
    while (pool.stats().waits.waiting < 6) await setTimeout(1);
    const asked = pool.acquireAsync(BLOCK);
    leases[0].release();
    await Promise.all(members.map((member) => member.terminate()));
    expect(await Promise.all(lost)).toEqual(['dead', 'dead']);
    await asked;
    leases[1].release();
    (await pool.acquireAsync(BLOCK)).release();
    expect(pool.stats().waits.waiting).toBe(0);
    checkBooks(pool);
    pool.close();
  });

  test('what a thread that died held serves those who wait, after its rest', async () => {
    const pool = make(2, { epochMs: 20 });
    const member = await Member.start(pool);
    await member.call('acquire', BLOCK, 2);
    const asked = pool.acquireAsync(BLOCK);
    await member.terminate();
    (await asked).release();
    checkBooks(pool);
    pool.close();
  });

  test('waiting keeps a thread alive that others can help, until it is served', async () => {
    const pool = make(1);
    const lease = pool.acquire(BLOCK);
    const member = await Member.start(pool);
    const asked = member.call('acquireAsync', [BLOCK]);
    while (pool.stats().waits.waiting === 0) await setTimeout(1);
    await settle();
    lease.release();
    expect(await asked).toEqual([0]);
    pool.close();
  });

  test('whoever waits is served, also by a pool that nobody refers to any more', async () => {
    const pool = make(1);
    const lease = pool.acquire(BLOCK);
    const asked = BufferPool.attach(pool.handle).acquireAsync(BLOCK);
    for (let times = 0; times < 5; times++) {
      gc?.();
      await setTimeout(5);
    }
    lease.release();
    (await asked).release();
    expect(pool.stats().waits).toMatchObject({ total: 1, waiting: 0 });
    pool.close();
  });

  test('trim() reaches the magazines of other threads', async () => {
    const pool = make(8);
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', BLOCK, 8));
    expect(pool.stats().residentBytes).toBe(8 * BLOCK);
    pool.trim();
    for (let tries = 0; tries < 1000 && pool.stats().residentBytes > 0; tries++) await setTimeout(5);
    expect(pool.stats()).toMatchObject({ residentBytes: 0, drops: expect.objectContaining({ trimBytes: 8 * BLOCK }) });
    pool.close();
  });
});
