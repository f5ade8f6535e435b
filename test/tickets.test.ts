import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, heapOf, KiB, MiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';

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

  test.each<['off' | 'detach']>([['detach'], ['off']])(
    'a block that cannot be mapped where it arrives goes back to the core (debug: %s)',
    async (debug) => {
      const other = new BufferPool({ backend, tiers: [4 * KiB], debug });
      const lease = other.acquire(4 * KiB);
      const kept = lease.bytes;
      const ticket = lease.transfer();
      // Either way the block is mapped anew where it arrives.
      if (debug === 'off') await detach(kept);
      vi.spyOn(heapOf(other).core, 'map').mockImplementationOnce(() => {
        throw new Error('no ArrayBuffer to be had');
      });
      expect(() => other.adopt(ticket)).toThrow('no ArrayBuffer to be had');
      expect(() => other.adopt(ticket)).toThrow(stale);
      expect(other.stats()).toMatchObject({ outstanding: 0, leasedBytes: 0, inFlightBytes: 0 });
      checkBooks(other);
      other.close();
    },
  );

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
