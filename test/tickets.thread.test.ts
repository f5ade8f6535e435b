import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, KiB, MiB } from './backends.js';
import { fixture, run } from './child.js';
import { check, stamp } from './fixtures/payload.mjs';
import { Member, terminateAll } from './member.js';

const stale = coded('ERR_SLABPOOL_STALE_TICKET', /ticket \d+ is good for nothing/);
const TIERS = [KiB, 4 * KiB, 64 * KiB, MiB];

describe('tickets between threads', () => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ tiers: TIERS, epochMs: 0, backend: 'native' });
  });
  afterEach(async () => {
    await terminateAll();
    pool.trim();
    pool.assertNoLeaks();
    expect(pool.stats()).toMatchObject({ residentBytes: 0, quarantinedBytes: 0, inFlightBytes: 0, leasedBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  test.each(TIERS)('%i bytes go there and back again, every one of them, and B12: the size with them', async (size) => {
    const member = await Member.start(pool);
    for (let round = 0; round < 3; round++) {
      const leases = pool.acquireMany(size - 1, 4);
      for (const [i, { bytes }] of leases.entries()) stamp(bytes, round * 100 + i);
      const ids = await member.call(
        'adopt',
        leases.map((lease) => lease.transfer()),
      );
      await member.call('check', ids, round * 100);
      await member.call('stamp', ids, round * 100 + 50);
      const back = (await member.call('transfer', ids)).map((ticket) => pool.adopt(ticket));
      for (const [i, { bytes }] of back.entries()) check(bytes, round * 100 + 50 + i);
      expect(back.map((lease) => [lease.size, lease.capacity])).toEqual(back.map(() => [size - 1, size]));
      pool.releaseMany(back);
    }
    checkBooks(pool);
  });

  test('a used ticket is stale everywhere, and so is one whose block has moved on', async () => {
    const [one, two] = [await Member.start(pool), await Member.start(pool)];
    const first = pool.acquire(4 * KiB).transfer();
    const [id] = await one.call('adopt', [first]);
    for (const member of [one, two]) await expect(member.call('adopt', [first])).rejects.toThrow(stale);
    expect(() => pool.adopt(first)).toThrow(stale);
    const [second] = await one.call('transfer', [id]);
    for (const member of [one, two]) await expect(member.call('adopt', [first])).rejects.toThrow(stale);
    await two.call('release', await two.call('adopt', [second]));
    await expect(one.call('adopt', [first, second])).rejects.toThrow(stale);
    expect(() => pool.adopt(second)).toThrow(stale);
  });

  test('a ticket that went to several threads at once is adopted by exactly one', async () => {
    const ended = await run(fixture('race.mjs'), ['4', '20000']);
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'each ticket once\n', stderr: '' });
  });

  test('four workers in a ring hand buffers on, and check every byte', async () => {
    const ended = await run(fixture('ring.mjs'), ['4', '1000']);
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'every byte\n', stderr: '' });
  });

  test('blocks go home: a thread that only consumes strands none, and the producer is served from its depot', async () => {
    const member = await Member.start(pool);
    const plateau: number[] = [];
    for (let round = 0; round < 40; round++) {
      const tickets = pool.acquireMany(64 * KiB, 20).map((lease) => lease.transfer());
      await member.call('release', await member.call('adopt', tickets));
      plateau.push(pool.stats().residentBytes);
    }
    // Both magazines may be full, no more.
    expect(Math.max(...plateau)).toBeLessThanOrEqual((20 + 4 + 4) * 64 * KiB);
    expect(plateau.at(-1)).toBe(plateau[4]);
    const { hits } = pool.stats();
    expect(hits.steal).toBe(0);
    expect(hits.depot).toBeGreaterThan(100);
    await member.call('trim');
    pool.trim();
    expect(pool.stats()).toMatchObject({ residentBytes: 0 });
  });

  test('a producer that lies dormant strands nothing: others take its blocks', async () => {
    const small = new BufferPool({ tiers: [64 * KiB], maxBytes: MiB, epochMs: 0, backend: 'native' });
    const [producer, consumer] = [await Member.start(small), await Member.start(small)];
    const ids = await producer.call('acquire', 64 * KiB, 16, 1);
    const adopted = await consumer.call('adopt', await producer.call('transfer', ids));
    await consumer.call('check', adopted, 1);
    await consumer.call('release', adopted);
    // From now on the producer does nothing at all.
    const again = await consumer.call('acquire', 64 * KiB, 16);
    expect((await consumer.call('stats')).hits.steal).toBeGreaterThan(0);
    await consumer.call('release', again);
    await consumer.call('trim');
    expect(small.stats()).toMatchObject({ residentBytes: 0, leasedBytes: 0 });
    small.releaseMany(small.acquireMany(64 * KiB, 16));
    small.close();
  });
});

test('tracked leases pass between threads by tickets', async () => {
  const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB] });
  const member = await Member.start(pool);
  const ids = await member.call('acquire', 1, 10, 3);
  const tickets = await member.call('transfer', ids);
  const leases = tickets.map((ticket) => pool.adopt(ticket));
  expect(pool.trackedLeases()).toHaveLength(10);
  expect((await member.call('stats')).leaks.tracked).toBe(0);
  pool.releaseMany(leases);
  await member.call('close');
  pool.close();
});
