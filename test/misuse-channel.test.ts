import { setImmediate } from 'node:timers/promises';
import { BufferPool, Channel, type ChannelHandle, type Lease, type WaitOptions } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, detach, KiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';

const invalid = coded('ERR_SLABPOOL_INVALID_ARG');
const gone = coded('ERR_SLABPOOL_CHANNEL_CLOSED', /no such channel/);

let pool: BufferPool;
let channel: Channel;
beforeEach(() => {
  pool = new BufferPool({ name: 'misused', tiers: [4 * KiB], epochMs: 0, backend: 'native' });
  channel = new Channel(pool, { capacity: 2 });
});
afterEach(() => {
  expect(channel.size).toBe(0);
  channel.leave();
  pool.assertNoLeaks();
  expect(pool.stats().inFlightBytes).toBe(0);
  checkBooks(pool);
  pool.close();
});

describe('sending', () => {
  /** By both ways. */
  async function fails(lease: Lease, error: unknown, ...also: unknown[]): Promise<void> {
    const numbers = also as [number, number];
    expect(() => channel.trySend(lease, ...numbers)).toThrow(error as Error);
    await expect((async () => channel.send(lease, ...numbers))()).rejects.toEqual(error);
  }

  test('a released lease, and one that was sent before', async () => {
    const lease = pool.acquire(100);
    lease.release();
    await fails(lease, coded('ERR_SLABPOOL_LEASE_RELEASED'));
    const sent = pool.acquire(100);
    channel.trySend(sent);
    await fails(sent, coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => sent.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => sent.transfer()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    channel.tryReceive()?.release();
  });

  test('an oversize lease: the error names the way out, and the lease stays good', async () => {
    using lease = pool.acquire(4 * KiB + 1);
    await fails(lease, coded('ERR_SLABPOOL_OVERSIZE', /postMessage\(value, \[lease\.buffer\]\).*maxPooledSize/));
    expect(lease.bytes.fill(1)).toHaveLength(4 * KiB + 1);
  });

  test("another pool's lease, also of another membership in the same pool", async () => {
    const other = new BufferPool({ backend: 'native' });
    const twin = BufferPool.attach(pool.handle);
    const leases = [other.acquire(100), twin.acquire(100)];
    for (const lease of leases) {
      await fails(lease, coded('ERR_SLABPOOL_FOREIGN_LEASE'));
      lease.release();
    }
    other.close();
    twin.close();
  });

  test('a lease whose ArrayBuffer was detached', async () => {
    const lease = pool.acquire(100);
    const taken = detach(lease.bytes);
    await fails(lease, coded('ERR_SLABPOOL_DETACHED'));
    lease.release();
    await taken;
  });

  test.each([undefined, null, 7, 'lease', {}, [], Buffer.alloc(8), () => 1])('%s, which is no lease', async (given) => {
    await fails(given as never, invalid);
  });

  const NO_NUMBERS = ['1', null, 1n, true, {}, [], Symbol('m'), new Date()];
  const length = /length: expected an integer of 0 to 4096 \(bytes, at most the capacity of the lease\), got/;
  test.each([...NO_NUMBERS, -1, 0.5, NaN, Infinity, 4 * KiB + 1, 2 ** 32, 2 ** 53])('length %s', async (given) => {
    const lease = pool.acquire(100);
    stamp(lease.bytes, 1);
    await fails(lease, coded('ERR_SLABPOOL_INVALID_ARG', length), given);
    const other = pool.acquire(100);
    const lengths = [4 * KiB, given as number];
    expect(() => channel.trySendMany([other, lease], lengths)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', length));
    check(lease.bytes, 1);
    pool.releaseMany([other, lease]);
  });

  test.each(NO_NUMBERS)('tag %s', async (given) => {
    const lease = pool.acquire(100);
    stamp(lease.bytes, 1);
    await fails(lease, coded('ERR_SLABPOOL_INVALID_ARG', /tag: expected a number, got/), 0, given);
    check(lease.bytes, 1);
    lease.release();
  });

  test('one lease twice at the same time: it goes once', async () => {
    channel.trySend(pool.acquire(1));
    channel.trySend(pool.acquire(1));
    const lease = pool.acquire(1);
    const sends = Promise.allSettled([channel.send(lease, undefined, 5), channel.send(lease, undefined, 6)]);
    for (let i = 0; i < 3; i++) (await channel.receive())?.release();
    const [first, second] = await sends;
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SLABPOOL_LEASE_RELEASED' } });
    expect(channel.tryReceive()).toBeNull();
  });

  test('a lease that is released while it waits for room', async () => {
    channel.trySend(pool.acquire(1));
    channel.trySend(pool.acquire(1));
    const lease = pool.acquire(1);
    const sending = channel.send(lease);
    const failing = expect(sending).rejects.toEqual(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    await setImmediate();
    lease.release();
    for (let i = 0; i < 2; i++) channel.tryReceive()?.release();
    await failing;
    expect(channel.tryReceive()).toBeNull();
  });
});

describe('waiting', () => {
  test.each([-1, NaN, -Infinity, '1', null, 1n, {}])('receiveSync(%s)', (given) => {
    expect(() => channel.receiveSync(given as number)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /receiveSync\(timeoutMs\): expected a number from 0 \(milliseconds\), got/),
    );
  });

  test('receiveSync of no time, and of a little', () => {
    expect([channel.receiveSync(0), channel.receiveSync(0.5), channel.receiveSync(3)]).toEqual([null, null, null]);
    channel.trySend(pool.acquire(1), undefined, 4);
    const lease = channel.receiveSync(0);
    expect(lease?.tag).toBe(4);
    lease?.release();
  });

  /** By each way to wait: a promise is rejected, and nothing is thrown but where there is no promise. */
  async function fails(options: unknown, error: unknown): Promise<void> {
    using lease = pool.acquire(1);
    const given = options as WaitOptions;
    for (const waiting of [
      channel.receive(given),
      channel.receiveMany(1, given),
      channel.send(lease, 0, 0, given),
      channel.sendMany([lease], undefined, given),
    ]) {
      await expect(waiting).rejects.toEqual(error);
    }
    expect(() => channel.messages(given)).toThrow(error as Error);
    expect(channel.size).toBe(0);
    expect(lease.released).toBe(false);
  }

  test.each([7, 'signal', {}, true, null, { aborted: false }])('a signal that is none: %s', async (signal) => {
    await fails({ signal }, coded('ERR_SLABPOOL_INVALID_ARG', /option 'signal': expected an AbortSignal/));
  });

  test.each([-1, NaN, '5', null, 2 ** 31, 1n, {}])('a timeout of %s', async (timeout) => {
    await fails({ timeout }, coded('ERR_SLABPOOL_INVALID_ARG', /option 'timeout': expected a number of 0 to/));
  });

  test('options that there are not, also one that is nearly right', async () => {
    await fails(
      { timeoutMs: 5 },
      coded('ERR_SLABPOOL_INVALID_ARG', /no option 'timeoutMs': expected only signal, timeout/),
    );
    for (const options of [null, 7, [], 'timeout']) await fails(options, invalid);
  });
});

describe('making', () => {
  test.each([0, 1, -4, 2.5, NaN, Infinity, 65_537, 2 ** 32, '4', 4n, null, {}])('a capacity of %s', (given) => {
    expect(() => new Channel(pool, { capacity: given as number })).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /option 'capacity': expected an integer of 2 to 65536 \(messages\), got/),
    );
  });

  test.each([1, 'yes', null, {}])('holdOpen: %s', (given) => {
    expect(() => new Channel(pool, { holdOpen: given as never })).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /option 'holdOpen': expected true or false/),
    );
  });

  test.each([null, 7, 'capacity', [], { capacty: 4 }, { capacity: 4, name: 'x' }])('options like %j', (given) => {
    expect(() => new Channel(pool, given as never)).toThrow(invalid);
  });

  test.each([undefined, null, {}, 'pool', 7])('on %s, which is no pool', (given) => {
    expect(() => new Channel(given as never)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /a BufferPool/));
    expect(() => Channel.attach(given as never, channel.handle)).toThrow(invalid);
  });

  test('on the TypeScript core, and on a closed pool', () => {
    const other = new BufferPool({ name: 'lonely', backend: 'js' });
    expect(() => new Channel(other)).toThrow(coded('ERR_SLABPOOL_BACKEND', /native core/, { pool: 'lonely' }));
    other.close();
    expect(() => new Channel(other)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });
});

describe('attaching', () => {
  const strange = [undefined, null, '', 'x', 0.5, -1, NaN, 2 ** 32, 1n, true, [], {}, Symbol('s')];

  test('to what is no handle, or one with something else in it', () => {
    const { handle } = channel;
    for (const given of [...strange, pool.handle, channel, { ...handle, slabpool: 'pool' }]) {
      expect(() => Channel.attach(pool, given as never)).toThrow(
        coded('ERR_SLABPOOL_INVALID_ARG', /the handle of a channel, got/),
      );
    }
    for (const field of ['slabpool', 'address', 'sleepers'] as const) {
      for (const value of [...strange, new SharedArrayBuffer(8), new ArrayBuffer(256)]) {
        expect(() => Channel.attach(pool, { ...handle, [field]: value } as ChannelHandle)).toThrow(invalid);
      }
    }
    for (const field of ['copyId', 'slot', 'serial'] as const) {
      for (const value of strange) {
        if (field === 'copyId' && typeof value === 'string') continue;
        const forged = { ...handle, address: { ...handle.address, [field]: value } };
        expect(() => Channel.attach(pool, forged as ChannelHandle)).toThrow(invalid);
      }
    }
    expect(channel.peers).toBe(0);
  });

  test.each([{ slot: 4095 }, { slot: 4096 }, { slot: 2 ** 32 - 1 }, { serial: 2 ** 32 - 1 }])(
    'to %j, where no channel is',
    (forged) => {
      const { handle } = channel;
      const address = { ...handle.address, ...forged };
      expect(() => Channel.attach(pool, { ...handle, address })).toThrow(gone);
    },
  );

  test('to a channel of another copy of the addon, or another process', () => {
    const { handle } = channel;
    const address = { ...handle.address, copyId: 'another' };
    expect(() => Channel.attach(pool, { ...handle, address })).toThrow(coded('ERR_SLABPOOL_BACKEND'));
  });

  test("with another pool than the channel's", () => {
    const other = new BufferPool({ backend: 'native' });
    expect(() => Channel.attach(other, channel.handle)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /of another pool/));
    expect(channel.peers).toBe(0);
    other.close();
  });

  test('with another membership in the same pool', () => {
    const twin = BufferPool.attach(pool.handle);
    const other = Channel.attach(twin, channel.handle);
    channel.trySend(pool.acquire(1), undefined, 3);
    const lease = other.tryReceive();
    expect(lease?.tag).toBe(3);
    lease?.release();
    twin.close();
    expect(channel.peers).toBe(0);
    const next = Channel.attach(pool, channel.handle);
    next.leave();
  });

  test('to one that is gone, though its slot may have another', () => {
    const { handle } = channel;
    channel.leave();
    expect(() => Channel.attach(pool, handle)).toThrow(gone);
    const next = new Channel(pool);
    expect(() => Channel.attach(pool, handle)).toThrow(gone);
    next.leave();
  });
});
