import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';
import { fixture, run } from './child.js';
import { check, stamp } from './fixtures/payload.mjs';
import { Member, terminateAll } from './member.js';

const stale = coded('ERR_SLABPOOL_STALE_TICKET', /ticket \d+ is good for nothing/);
const TIERS = [KiB, 4 * KiB, 64 * KiB, MiB];

describe.each(BACKENDS)('tickets within one thread on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'here', backend, tiers: TIERS });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test.each(TIERS)('a buffer of %i bytes: its bytes come along, and so does the size that was asked for', (size) => {
    const lease = pool.acquire(size - 1);
    const { bytes, buffer } = lease;
    stamp(bytes, size);
    const ticket = lease.transfer();
    expect(Number.isSafeInteger(ticket) && ticket >= 0).toBe(true);
    const next = pool.adopt(ticket);
    expect([next.size, next.capacity, next.buffer.byteLength]).toEqual([size - 1, size, size]);
    // The same thread knows the block already.
    expect(next.buffer).toBe(buffer);
    check(next.bytes, size);
    next.release();
  });

  test('B3: tickets that nobody adopts are in the books: how many, since when, and who sent them', async () => {
    expect(pool.stats().inFlight).toEqual({ tickets: 0, oldestTicketMs: 0, senders: [], messages: 0 });
    const tickets = pool.acquireMany(64 * KiB, 3).map((lease) => lease.transfer());
    const since = performance.now();
    while (performance.now() < since + 60);
    tickets.push(pool.acquire(KiB).transfer());
    const { inFlight } = pool.stats();
    const oldestMs = inFlight.oldestTicketMs;
    expect(inFlight).toEqual({
      tickets: 4,
      oldestTicketMs: oldestMs,
      senders: [{ thread: 0, here: true, tickets: 4, oldestMs }],
      messages: 0,
    });
    expect(oldestMs).toBeGreaterThanOrEqual(40); // Windows' clock advances by 16
    expect(oldestMs).toBeLessThan(10_000);
    expect(() => pool.assertNoLeaks()).toThrow(
      coded('ERR_SLABPOOL_LEAK', /4 are out: 4 in tickets of this thread \(the oldest for \d/, {
        details: { outstanding: 0, tickets: 4 },
      }),
    );
    for (const ticket of tickets) pool.adopt(ticket).release();
    expect(pool.stats().inFlight.tickets).toBe(0);
  });

  test('a block in flight is accounted for as such, and nobody gets it meanwhile', () => {
    const leases = pool.acquireMany(64 * KiB, 10);
    for (const [i, { bytes }] of leases.entries()) stamp(bytes, i);
    const tickets = leases.map((lease) => lease.transfer());
    expect(new Set(tickets).size).toBe(10);
    expect(pool.outstanding()).toBe(0);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 10 * 64 * KiB, leasedBytes: 0 });
    checkBooks(pool);
    pool.trim();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 10 * 64 * KiB, residentBytes: 10 * 64 * KiB });
    const others = pool.acquireMany(64 * KiB, 20);
    for (const { bytes } of others) bytes.fill(0xff);
    for (const [i, ticket] of tickets.entries()) {
      const lease = pool.adopt(ticket);
      check(lease.bytes, i);
      lease.release();
    }
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 20 * 64 * KiB });
    pool.releaseMany(others);
  });
});

describe.each(BACKENDS)('sizes on the %s core', (backend) => {
  test('B12: the size travels with the ticket, over several hand-overs, and view() has no stale tail', () => {
    const pool = new BufferPool({ backend, tiers: TIERS, maxBytes: 4 * MiB, leakDetection: 'full' });
    const first = pool.acquire(64 * KiB);
    first.bytes.fill(7);
    first.release();
    for (const size of [0, 1, 5000, 64 * KiB - 1, 64 * KiB, MiB]) {
      const lease = pool.acquire(size);
      const once = pool.adopt(lease.transfer());
      expect(pool.trackedLeases()).toMatchObject([{ size }]);
      const twice = pool.adopt(once.transfer());
      expect([once.size, twice.size, twice.view().length, twice.capacity]).toEqual([
        size,
        size,
        size,
        twice.bytes.length,
      ]);
      twice.release();
    }
    pool.close();
  });
});

describe.each(BACKENDS)('numbers of tickets on the %s core', (backend) => {
  const make = () => new BufferPool({ backend, tiers: [4 * KiB] });

  test('B9, B10: none comes again in 2^20 hand-overs of a block, and the first is good for nothing', () => {
    const pool = make();
    const first = pool.acquire(1).transfer();
    let ticket = first;
    let again = 0;
    let whole = true;
    for (let i = 1; i <= 2 ** 20; i++) {
      ticket = pool.adopt(ticket).transfer();
      if (ticket === first) again = i;
      whole &&= Number.isSafeInteger(ticket) && ticket >= 0;
    }
    expect([again, whole]).toEqual([0, true]);
    expect(() => pool.adopt(first)).toThrow(stale);
    pool.adopt(ticket).release();
    pool.assertNoLeaks();
    pool.close();
  });

  test('B9: those of one pool are nothing to another that is like it, but for one in 2^28', () => {
    const pools = Array.from({ length: 300 }, make);
    const tickets = pools.map((pool) => pool.acquire(1).transfer());
    const [pool] = pools as [BufferPool];
    for (const ticket of tickets.slice(1)) expect(() => pool.adopt(ticket)).toThrow(stale);
    for (const [i, ticket] of tickets.entries()) pools[i]?.adopt(ticket).release();
    for (const each of pools) each.close();
  });
});

test('B10: the last number of the TypeScript core is followed by the first', () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(1 - 2 ** -30);
  const pool = new BufferPool({ backend: 'js', tiers: [4 * KiB] });
  let ticket = pool.acquire(1).transfer();
  random.mockRestore();
  expect(ticket).toBeLessThan(2 ** 25); // the block's number alone
  for (let i = 0; i < 10; i++) {
    const next = pool.adopt(ticket).transfer();
    expect(next - ticket).toBe(2 ** 25);
    expect(() => pool.adopt(ticket)).toThrow(stale);
    ticket = next;
  }
  pool.adopt(ticket).release();
  pool.close();
});

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
