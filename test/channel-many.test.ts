import { BufferPool, Channel, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { checkBooks, coded, detach, heapOf, KiB, MiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';

let pool: BufferPool;
let channel: Channel;
beforeEach(() => {
  pool = new BufferPool({ name: 'many', tiers: [4 * KiB, 64 * KiB], epochMs: 0, backend: 'native' });
  channel = new Channel(pool, { capacity: 64 });
});
afterEach(() => {
  channel.leave();
  pool.assertNoLeaks();
  pool.trim();
  const { retiredBytes } = pool.stats();
  expect(pool.stats()).toMatchObject({
    residentBytes: retiredBytes,
    inFlightBytes: 0,
    leasedBytes: 0,
    quarantinedBytes: 0,
  });
  checkBooks(pool);
  pool.close();
});

const numbers = (n: number, from = 0) => Array.from({ length: n }, (_, i) => from + i);

/** Leases of both tiers that say which they are. */
function stamped(n: number, from = 0): Lease[] {
  return numbers(n, from).map((seed) => {
    const lease = pool.acquire(seed % 3 === 0 ? 64 * KiB : 100);
    stamp(lease.bytes, seed);
    return lease;
  });
}

function receive(most: number, from: number, received = channel.tryReceiveMany(most)): number {
  for (const [i, lease] of received.entries()) {
    check(lease.bytes, from + i);
    expect([lease.length, lease.size, lease.tag]).toEqual([from + i, from + i, 0]);
    lease.release();
  }
  return received.length;
}

describe('many at once', () => {
  test.each([1, 2, 31, 32, 33, 64])('%i leases arrive in their order, with every byte and their numbers', (n) => {
    const leases = stamped(n);
    expect(channel.trySendMany(leases, numbers(n))).toBe(n);
    expect(channel.size).toBe(n);
    for (const lease of leases) expect(() => lease.bytes).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(receive(64, 0)).toBe(n);
    expect(channel.tryReceiveMany()).toEqual([]);
  });

  test.each([0, 1, 4])(
    'when one that has come cannot be mapped, all others are received, and the next call says why: %i',
    (bad) => {
      const { core } = heapOf(pool);
      const leases = stamped(5);
      const views = leases.map(({ bytes }) => bytes);
      channel.trySendMany(leases, numbers(5));
      detach(views[bad] as NonNullable<(typeof views)[number]>);
      const map = vi.spyOn(core, 'map').mockImplementationOnce(() => {
        throw new Error('no memory for it');
      });
      const received = channel.tryReceiveMany();
      expect(map).toHaveBeenCalledTimes(1);
      map.mockRestore();
      expect(received.map(({ length }) => length)).toEqual(numbers(5).filter((n) => n !== bad));
      expect(() => channel.tryReceive()).toThrow('no memory for it');
      expect(channel.tryReceive()).toBeNull();
      for (const lease of received) lease.release();
    },
  );

  test('mix with single ones, and take at most as many as asked for', () => {
    channel.trySendMany(stamped(3), numbers(3));
    for (const lease of stamped(2, 3)) channel.trySend(lease, channel.size);
    channel.trySendMany(stamped(40, 5), numbers(40, 5));
    expect([receive(1, 0), receive(3, 1), receive(33, 4)]).toEqual([1, 3, 33]);
    expect(channel.tryReceive()?.[Symbol.dispose]()).toBeUndefined();
    expect(receive(100, 38)).toBe(7);
  });

  test('only as many as there is room for: the others stay good, and can be sent later', () => {
    const leases = stamped(70);
    expect(channel.trySendMany(leases, numbers(70))).toBe(64);
    expect(channel.trySendMany(leases.slice(64))).toBe(0);
    for (const [i, lease] of leases.slice(64).entries()) check(lease.bytes, 64 + i);
    expect(receive(10, 0)).toBe(10);
    expect(channel.trySendMany(leases.slice(64), numbers(6, 64))).toBe(6);
    expect(receive(100, 10)).toBe(60);
  });

  test('none are none', async () => {
    expect(channel.trySendMany([])).toBe(0);
    await channel.sendMany([]);
    expect(channel.size).toBe(0);
  });

  test('sendMany waits for room for all', async () => {
    const all = channel.sendMany(stamped(150), numbers(150));
    let received = 0;
    while (received < 150) received += receive(64, received, await channel.receiveMany(64));
    await all;
  });

  test('sendMany keeps to what it was given, whatever becomes of the arrays', async () => {
    const leases = stamped(70);
    const metas = numbers(70);
    const sending = channel.sendMany(leases, metas);
    leases.length = 3;
    metas.fill(-1);
    for (let received = 0; received < 70; ) received += receive(64, received, await channel.receiveMany(64));
    await sending;
  });

  test('an aborted sendMany leaves what was not sent to the caller', async () => {
    const abort = new AbortController();
    const leases = stamped(70);
    const sending = channel.sendMany(leases, numbers(70), { signal: abort.signal });
    abort.abort();
    await expect(sending).rejects.toBe(abort.signal.reason);
    for (const lease of leases.slice(64)) lease.release();
    expect(receive(100, 0)).toBe(64);
  });

  test('receiveMany waits for one, takes what is there, and ends with the channel', async () => {
    const waiting = channel.receiveMany();
    channel.trySendMany(stamped(5), numbers(5));
    const first = await waiting;
    const rest = receive(100, first.length);
    expect(first.length + rest).toBe(5);
    receive(0, 0, first);
    const atTheEnd = channel.receiveMany();
    channel.trySendMany(stamped(2), numbers(2));
    channel.close();
    const last = await atTheEnd;
    expect(last.length + receive(100, last.length)).toBe(2);
    receive(0, 0, last);
    expect(await channel.receiveMany()).toEqual([]);
    expect(channel.tryReceiveMany()).toEqual([]);
    using late = pool.acquire(1);
    expect(() => channel.trySendMany([late])).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED'));
    expect(late.bytes).toHaveLength(4 * KiB);
  });

  test('wake as many receivers as there are leases for', async () => {
    const others = numbers(3).map(() => Channel.attach(pool, channel.handle));
    const waiting = others.map((other) => other.receive());
    channel.trySendMany(stamped(3), numbers(3));
    const received = await Promise.all(waiting);
    expect(received.map((lease) => lease?.length).sort()).toEqual([0, 1, 2]);
    for (const lease of received) lease?.release();
    for (const other of others) other.leave();
  });
});

describe('misuse hands over nothing', () => {
  async function fails(error: unknown, leases: unknown, ...more: unknown[]): Promise<void> {
    const args = [leases, ...more] as [Lease[]];
    expect(() => channel.trySendMany(...args)).toThrow(error as Error);
    await expect(channel.sendMany(...args)).rejects.toEqual(error);
    expect(channel.size).toBe(0);
  }

  function released(): Lease {
    const lease = pool.acquire(1);
    lease.release();
    return lease;
  }

  async function detached(): Promise<Lease> {
    const lease = pool.acquire(1);
    await detach(lease.bytes);
    return lease;
  }

  test.each<[string, (good: Lease[]) => unknown, unknown]>([
    ['a released lease', released, coded('ERR_SLABPOOL_LEASE_RELEASED')],
    ['the same lease twice', (good) => good[0], coded('ERR_SLABPOOL_LEASE_RELEASED')],
    ['no lease', () => ({}), coded('ERR_SLABPOOL_INVALID_ARG')],
    ['nothing', () => undefined, coded('ERR_SLABPOOL_INVALID_ARG')],
    ['an oversize lease', () => pool.acquire(2 * MiB), coded('ERR_SLABPOOL_OVERSIZE')],
    ['a detached lease', detached, coded('ERR_SLABPOOL_DETACHED')],
  ])('%s among good ones', async (_, bad, error) => {
    const good = stamped(40);
    const it = await bad(good);
    await fails(error, [...good, it]);
    for (const [i, lease] of good.entries()) check(lease.bytes, i);
    for (const lease of new Set([...good, it as Lease])) lease?.[Symbol.dispose]?.();
  });

  test.each<[string, unknown]>([
    ['an iterator', [].values()],
    ['a lease alone', null],
  ])('%s instead of an array', async (_, leases) => {
    await fails(coded('ERR_SLABPOOL_INVALID_ARG', /an array of leases/), leases);
  });

  test.each<[string, unknown]>([
    ['too few', [1]],
    ['too many', [1, 2, 3]],
    ['of another type', [1, '2']],
    ['no array', 5],
  ])('lengths that are %s', async (_, lengths) => {
    const leases = stamped(2);
    const expected = /expected (2 numbers|an integer of 0 to 4096 \(bytes, .*\)), got/;
    await fails(coded('ERR_SLABPOOL_INVALID_ARG', expected), leases, lengths);
    pool.releaseMany(leases);
  });

  test.each([0, -1, 0.5, NaN, Infinity, '1', null])('receiveMany(%o)', async (most) => {
    const error = coded('ERR_SLABPOOL_INVALID_ARG', /an integer from 1/);
    expect(() => channel.tryReceiveMany(most as number)).toThrow(error as Error);
    await expect(channel.receiveMany(most as number)).rejects.toEqual(error);
  });

  test('a channel that this thread has left', async () => {
    const other = Channel.attach(pool, channel.handle);
    other.leave();
    using lease = pool.acquire(1);
    for (const attempt of [() => other.trySendMany([lease]), () => other.tryReceiveMany()]) {
      expect(attempt).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED'));
    }
  });

  test('a channel that nobody else has any more', () => {
    const other = Channel.attach(pool, channel.handle);
    other.leave();
    using lease = pool.acquire(1);
    expect(() => channel.trySendMany([lease])).toThrow(coded('ERR_SLABPOOL_PEER_GONE'));
    expect(() => channel.tryReceiveMany()).toThrow(coded('ERR_SLABPOOL_PEER_GONE'));
  });
});
