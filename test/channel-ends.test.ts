import { setImmediate } from 'node:timers/promises';
import { BufferPool, Channel, type ReceivedLease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, heapOf, KiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';

const channelClosed = coded('ERR_SLABPOOL_CHANNEL_CLOSED');
const peerGone = coded('ERR_SLABPOOL_PEER_GONE', /every other thread .*has left it, or died/);

let pool: BufferPool;
let channel: Channel;
beforeEach(() => {
  pool = new BufferPool({ name: 'carried', tiers: [4 * KiB], epochMs: 0, backend: 'native' });
  channel = new Channel(pool, { capacity: 4 });
});
afterEach(() => {
  channel.leave();
  pool.assertNoLeaks();
  pool.trim();
  expect(pool.stats()).toMatchObject({ residentBytes: 0, inFlightBytes: 0 });
  checkBooks(pool);
  pool.close();
});

const join = () => Channel.attach(pool, channel.handle);

function send(seed: number): void {
  const lease = pool.acquire(4 * KiB);
  stamp(lease.bytes, seed);
  expect(channel.trySend(lease, undefined, seed)).toBe(true);
}

function receive(seed: number, from: Channel): void {
  const received = from.tryReceive() as ReceivedLease;
  check(received.bytes, seed);
  received.release();
}

/** Each way to send, and each way to receive, when it cannot. */
async function expectSendsFail(from: Channel, error: unknown): Promise<void> {
  const lease = pool.acquire(4 * KiB);
  stamp(lease.bytes, 1);
  expect(() => from.trySend(lease)).toThrow(error as Error);
  await expect(from.send(lease)).rejects.toEqual(error);
  check(lease.bytes, 1);
  lease.release();
}
async function expectReceivesFail(from: Channel, error: unknown): Promise<void> {
  expect(() => from.tryReceive()).toThrow(error as Error);
  expect(() => from.receiveSync()).toThrow(error as Error);
  await expect(from.receive()).rejects.toEqual(error);
  const iterate = async () => {
    for await (const lease of from) lease.release();
  };
  await expect(iterate()).rejects.toEqual(error);
}

describe('close', () => {
  test.each(['this', 'another'])('by %s endpoint: no more sends; what is in it comes out, then null', async (who) => {
    const other = join();
    for (const seed of [1, 2]) send(seed);
    (who === 'this' ? channel : other).close();
    expect([channel.closed, other.closed]).toEqual([true, true]);
    for (const endpoint of [channel, other]) await expectSendsFail(endpoint, channelClosed);
    receive(1, other);
    receive(2, channel);
    for (const endpoint of [channel, other]) {
      expect([endpoint.tryReceive(), endpoint.receiveSync(), await endpoint.receive()]).toEqual([null, null, null]);
    }
    other.leave();
  });

  test('ends the waiting: receivers get null, senders an error, and their leases are still theirs', async () => {
    const other = join();
    const received = [channel.receive(), other.receive()];
    await setImmediate();
    channel.close();
    expect(await Promise.all(received)).toEqual([null, null]);
    other.leave();

    const next = new Channel(pool, { capacity: 2 });
    const peer = Channel.attach(pool, next.handle);
    const leases = pool.acquireMany(4 * KiB, 4);
    next.trySend(leases[0]);
    next.trySend(leases[1]);
    const sends = [next.send(leases[2]), peer.send(leases[3])];
    await setImmediate();
    peer.close();
    for (const one of await Promise.allSettled(sends)) {
      expect(one).toMatchObject({ status: 'rejected', reason: { code: 'ERR_SLABPOOL_CHANNEL_CLOSED' } });
    }
    for (const lease of leases.slice(2)) lease.release();
    next.tryReceive()?.release();
    next.leave();
    peer.leave();
  });

  test('twice, and by two', () => {
    const other = join();
    channel.close();
    channel.close();
    other.close();
    other.leave();
    other.leave();
  });

  test('can be joined, to get what is still in it', () => {
    send(1);
    channel.close();
    const late = join();
    receive(1, late);
    expect(late.tryReceive()).toBeNull();
    late.leave();
  });
});

describe('leave', () => {
  test('ends it for this thread: everything but a second leave fails with a code', async () => {
    const other = join();
    const waiting = [other.receive(), other.receive()];
    await setImmediate();
    other.leave();
    for (const one of waiting) await expect(one).rejects.toEqual(channelClosed);
    await expectSendsFail(other, channelClosed);
    await expectReceivesFail(other, channelClosed);
    expect(() => other.handle).toThrow(channelClosed);
    expect(() => other.close()).toThrow(channelClosed);
    expect([other.size, other.peers, other.closed]).toEqual([0, 0, true]);
    other.ref();
    other.unref();
    other.leave();
    expect(channel.closed).toBe(false);
  });

  test('of the last one takes home what nobody has received', () => {
    const other = join();
    const { handle } = channel;
    for (const seed of [1, 2, 3]) send(seed);
    other.leave();
    expect(pool.stats().inFlightBytes).toBe(3 * 4 * KiB);
    channel.leave();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 0, cachedBytes: pool.stats().residentBytes });
    expect(() => Channel.attach(pool, handle)).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED', /no such channel/));
  });

  test('of the one that was woken passes the wake-up on', async () => {
    const [one, two] = [join(), join()];
    const first = one.receive();
    await setImmediate();
    const second = two.receive();
    await setImmediate();
    send(5);
    one.leave();
    await expect(first).rejects.toEqual(channelClosed);
    const received = await second;
    expect(received?.tag).toBe(5);
    received?.release();
    two.leave();
  });

  test('pool.close() leaves all channels of the pool in this thread, and takes home what is in them', async () => {
    const member = BufferPool.attach(pool.handle);
    const channels = [1, 2, 3].map(() => new Channel(member));
    for (const one of channels) one.trySend(member.acquire(100));
    const waiting = Channel.attach(member, channel.handle).receive();
    const failing = expect(waiting).rejects.toEqual(channelClosed);
    await setImmediate();
    member.close();
    await failing;
    for (const one of channels) expect(() => one.tryReceive()).toThrow(channelClosed);
    expect(() => new Channel(member)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 0 });
    expect(heapOf(pool).core.checkInvariants()).toBeNull();
  });

  test('a channel keeps no pool open: when the last member has closed, everything is gone', () => {
    const lonely = new BufferPool({ backend: 'native' });
    const { handle } = lonely;
    const one = new Channel(lonely);
    one.trySend(lonely.acquire(100));
    lonely.close();
    expect(() => BufferPool.attach(handle)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });
});

describe('peers', () => {
  test('are counted; a channel that nobody has joined yet is no lonely one', () => {
    expect(channel.peers).toBe(0);
    send(1);
    expect(channel.tryReceive()?.release()).toBeUndefined();
    expect(channel.tryReceive()).toBeNull();
    const others = [join(), join()];
    expect([channel.peers, others[0].peers]).toEqual([2, 2]);
    others[0].leave();
    expect([channel.peers, others[1].peers]).toEqual([1, 1]);
    others[1].leave();
  });

  test('that are all gone: what they sent comes out, then it is an error; nobody waits for ever', async () => {
    const other = join();
    const lease = pool.acquire(4 * KiB);
    stamp(lease.bytes, 3);
    other.trySend(lease, undefined, 3);
    other.leave();
    await expectSendsFail(channel, peerGone);
    receive(3, channel);
    await expectReceivesFail(channel, peerGone);
  });

  test('whose last one goes: who waits for them is told', async () => {
    const other = join();
    const waiting = [channel.receive(), channel.receive()];
    const failing = waiting.map((one) => expect(one).rejects.toEqual(peerGone));
    await setImmediate();
    other.leave();
    await Promise.all(failing);

    const next = join();
    for (const seed of [1, 2, 3, 4]) send(seed);
    const lease = pool.acquire(100);
    const sending = expect(channel.send(lease)).rejects.toEqual(peerGone);
    await setImmediate();
    next.leave();
    await sending;
    lease.release();
  });

  test('that come after all others had gone make it as good as new', async () => {
    join().leave();
    await expectReceivesFail(channel, peerGone);
    const next = join();
    send(8);
    receive(8, next);
    next.leave();
  });

  test('at most 64 at once; a place that becomes free can be taken', () => {
    const others = Array.from({ length: 63 }, join);
    expect(channel.peers).toBe(63);
    expect(join).toThrow(coded('ERR_SLABPOOL_LIMIT', /64 endpoints, the most/));
    others[30].leave();
    others[30] = join();
    for (const other of others) {
      send(9);
      receive(9, other);
    }
    for (const other of others) other.leave();
  });
});
