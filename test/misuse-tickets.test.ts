import { BufferPool, type SlabPoolError } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, heapOf, KiB, MiB } from './backends.js';
import { check, random, stamp } from './fixtures/payload.mjs';

const stale = coded('ERR_SLABPOOL_STALE_TICKET', /ticket \d+ is good for nothing/);
const TIERS = [KiB, 4 * KiB, 64 * KiB, MiB];

/** Cheaper than `toThrow`, for thousands of calls. */
function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return (error as SlabPoolError).code;
  }
}

describe.each(BACKENDS)('misuse of tickets on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'here', backend, tiers: TIERS });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('the lease is released from transfer() on', () => {
    const lease = pool.acquire(100);
    const ticket = lease.transfer();
    const released = coded('ERR_SLABPOOL_LEASE_RELEASED');
    for (const use of [
      () => lease.release(),
      () => pool.release(lease),
      () => lease.transfer(),
      () => lease.bytes,
      () => lease.buffer,
      () => lease.capacity,
      () => lease.view(),
    ]) {
      expect(use, String(use)).toThrow(released);
    }
    lease[Symbol.dispose]();
    pool.adopt(ticket).release();
    expect(() => lease.transfer()).toThrow(released);
  });

  test('of a released lease there is none', () => {
    const lease = pool.acquire(100);
    lease.release();
    expect(() => lease.transfer()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(pool.stats().inFlightBytes).toBe(0);
  });

  test('of an oversize lease there is none: the error names the ways out, and the lease stays good', () => {
    const lease = pool.acquire(MiB + 1);
    expect(() => lease.transfer()).toThrow(
      coded('ERR_SLABPOOL_OVERSIZE', /pool 'here': .*postMessage\(value, \[lease\.buffer\]\).*maxPooledSize/),
    );
    expect(lease.bytes.fill(1)).toHaveLength(MiB + 1);
    expect(pool.outstanding()).toBe(1);
    lease.release();
  });

  test('of a lease whose ArrayBuffer was detached there is none: it is retired by its release', async () => {
    const lease = pool.acquire(64 * KiB);
    const taken = detach(lease.bytes);
    expect(() => lease.transfer()).toThrow(coded('ERR_SLABPOOL_DETACHED', /release it instead/));
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, outstanding: 1 });
    lease.release();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 0, retiredBytes: 64 * KiB });
    await taken;
  });

  test('a kept view that is detached in flight hurts nobody but its holder', async () => {
    const lease = pool.acquire(64 * KiB);
    const kept = stamp(lease.bytes, 3);
    const ticket = lease.transfer();
    const taken = detach(kept);
    const attempt = () => pool.adopt(ticket);
    if (backend === 'native') {
      const next = attempt();
      check(next.bytes, 3);
      next.release();
    } else {
      // The memory went with the view.
      expect(attempt).toThrow(coded('ERR_SLABPOOL_DETACHED'));
      expect(pool.stats()).toMatchObject({ inFlightBytes: 0, retiredBytes: 64 * KiB });
    }
    await taken;
  });

  test('of a lease of a closed pool there is none, and a closed pool adopts nothing', () => {
    const other = new BufferPool({ backend });
    const lease = other.acquire(100);
    const ticket = other.acquire(100).transfer();
    other.close();
    expect(() => lease.transfer()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(() => other.adopt(ticket)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('a ticket is good once', () => {
    const ticket = pool.acquire(100).transfer();
    const lease = pool.adopt(ticket);
    for (let i = 0; i < 3; i++) expect(() => pool.adopt(ticket)).toThrow(stale);
    lease.release();
    expect(() => pool.adopt(ticket)).toThrow(stale);
  });

  test('a ticket that was used stays stale while its block moves on', () => {
    const used: number[] = [];
    let lease = pool.acquire(MiB);
    for (let i = 0; i < 1000; i++) {
      if (i % 3 === 0) {
        lease.release();
        lease = pool.acquire(MiB);
      }
      const ticket = lease.transfer();
      if (i % 50 === 0) for (const old of used) expect(() => pool.adopt(old)).toThrow(stale);
      lease = pool.adopt(ticket);
      used.push(ticket);
    }
    expect(new Set(used).size).toBe(1000);
    lease.release();
    pool.trim();
    for (const old of used) expect(() => pool.adopt(old)).toThrow(stale);
  });

  test('a ticket of another pool is stale here, though that pool is just like this one', () => {
    const other = new BufferPool({ backend, tiers: TIERS });
    const foreign = other.acquireMany(100, 40).map((lease) => lease.transfer());
    const own = pool.acquireMany(100, 40).map((lease) => lease.transfer());
    for (const ticket of foreign) expect(() => pool.adopt(ticket)).toThrow(stale);
    for (const ticket of own) expect(() => other.adopt(ticket)).toThrow(stale);
    pool.releaseMany(own.map((ticket) => pool.adopt(ticket)));
    other.releaseMany(foreign.map((ticket) => other.adopt(ticket)));
    other.close();
  });

  test('a ticket of a pool that was closed is stale in the one that comes after it', () => {
    const make = () => {
      const next = new BufferPool({ backend, tiers: TIERS });
      return { next, tickets: next.acquireMany(100, 40).map((lease) => lease.transfer()) };
    };
    const old: number[] = [];
    for (let i = 0; i < 5; i++) {
      const { next, tickets } = make();
      for (const ticket of old) expect(() => next.adopt(ticket)).toThrow(stale);
      old.push(...tickets);
      next.close();
    }
  });

  test('numbers next to a real ticket, and numbers at random, are good for nothing', () => {
    const tickets = TIERS.flatMap((size) => pool.acquireMany(size, 5)).map((lease) => lease.transfer());
    const real = new Set(tickets);
    const below = random(11);
    const near = tickets.flatMap((ticket) =>
      Array.from({ length: 54 }, (_, bit) => [ticket + 2 ** bit, ticket - 2 ** bit]),
    );
    const forged = [0, 1, 2 ** 53 - 1, ...near.flat()];
    for (let i = 0; i < 20_000; i++) forged.push(below(2 ** 21) * 2 ** 32 + below(2 ** 32));
    const tried = forged.filter((ticket) => Number.isSafeInteger(ticket) && ticket >= 0 && !real.has(ticket));
    const codes = tried.map((ticket) => codeOf(() => pool.adopt(ticket)) ?? `${ticket} was adopted`);
    expect([...new Set(codes)]).toEqual(['ERR_SLABPOOL_STALE_TICKET']);
    expect(heapOf(pool).core.checkInvariants()).toBeNull();
    pool.releaseMany(tickets.map((ticket) => pool.adopt(ticket)));
  });

  test.each<[unknown]>(
    [
      -1,
      -0.5,
      0.5,
      NaN,
      Infinity,
      -Infinity,
      2 ** 53,
      2 ** 64,
      '1',
      '',
      1n,
      null,
      undefined,
      true,
      [],
      {},
      Symbol('t'),
    ].map((given) => [given]),
  )('adopt(%s)', (given) => {
    const ticket = pool.acquire(100).transfer();
    for (const forged of [given, typeof given === 'string' ? String(ticket) : given]) {
      expect(() => pool.adopt(forged as number)).toThrow(
        coded('ERR_SLABPOOL_INVALID_ARG', /adopt\(ticket\): expected a number that lease\.transfer\(\) returned, got/),
      );
    }
    pool.adopt(ticket).release();
  });
});
