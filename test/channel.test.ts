import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { BufferPool, Channel, type ReceivedLease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, KiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';

const channelClosed = coded('ERR_SLABPOOL_CHANNEL_CLOSED', /was closed, or this thread has left it/);

let pool: BufferPool;
let channel: Channel;
beforeEach(() => {
  pool = new BufferPool({ name: 'carried', tiers: [4 * KiB, 64 * KiB], epochMs: 0, backend: 'native' });
  channel = new Channel(pool, { capacity: 4 });
});
afterEach(() => {
  channel.leave();
  pool.assertNoLeaks();
  pool.trim();
  expect(pool.stats()).toMatchObject({ residentBytes: 0, inFlightBytes: 0, leasedBytes: 0, quarantinedBytes: 0 });
  checkBooks(pool);
  pool.close();
});

/** Another endpoint: in the same thread, so that each step is one that the test takes. */
const join = () => Channel.attach(pool, channel.handle);

function lease(seed: number, size = 4 * KiB) {
  const made = pool.acquire(size);
  stamp(made.bytes, seed);
  return made;
}

/** Sends as many as there is room for. */
function fillUp(): number {
  for (let n = 0; ; n++) {
    const one = lease(n);
    if (channel.trySend(one, undefined, n)) continue;
    one.release();
    return n;
  }
}

function receive(seed: number, from = channel): void {
  const received = from.tryReceive() as ReceivedLease;
  check(received.bytes, seed);
  expect(received.tag).toBe(seed);
  received.release();
}

/** Whether it is still pending after some turns of the event loop, in which every wake-up arrives. */
async function pends(promise: Promise<unknown>): Promise<boolean> {
  const turns = async () => {
    for (let i = 0; i < 20; i++) await setImmediate();
    return 'pending';
  };
  return (await Promise.race([promise.catch(() => 'rejected'), turns()])) === 'pending';
}

test('receiveSync() leaves an earlier receive() of the same thread awake', async () => {
  const other = join();
  const waiting = channel.receive();
  expect(channel.receiveSync(20)).toBeNull();
  other.trySend(lease(7), undefined, 7);
  const received = await waiting;
  expect(received?.tag).toBe(7);
  received?.release();
  other.leave();
});

describe('messages', () => {
  test('come out in the order of sending, each once, with every byte and both numbers', () => {
    const other = join();
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 3; i++)
        channel.trySend(lease(round * 3 + i, i === 1 ? 64 * KiB : 1), undefined, round * 3 + i);
      expect([channel.size, other.size]).toEqual([3, 3]);
      for (let i = 0; i < 3; i++) receive(round * 3 + i, other);
      expect(other.tryReceive()).toBeNull();
    }
    other.leave();
  });

  test.each([0, -0, 0.1, NaN, Infinity, 2 ** 53, -(2 ** 53), Number.MIN_VALUE, Number.MAX_VALUE])(
    'carry the tag %f as it is',
    (tag) => {
      channel.trySend(lease(1), undefined, tag);
      const received = channel.tryReceive() as ReceivedLease;
      expect(received.tag).toBe(tag);
      received.release();
      channel.trySend(lease(1));
      const plain = channel.tryReceive() as ReceivedLease;
      expect(plain.tag).toBe(0);
      plain.release();
    },
  );

  test.each([0, 1, 99, 100, 101, 4 * KiB])('of length %i, of a lease of 100 bytes', (length) => {
    const [one, two] = [lease(1, 100), lease(2, 100)];
    channel.trySend(one, length, 7);
    expect(channel.trySendMany([two], [length])).toBe(1);
    for (const seed of [1, 2]) {
      const received = channel.tryReceive() as ReceivedLease;
      check(received.bytes, seed);
      expect([received.length, received.size, received.view().length, received.tag]).toEqual([
        ...[length, length, length],
        seed === 1 ? 7 : 0,
      ]);
      received.release();
    }
  });

  test('B12: the number of bytes used travels, alone, with many, and when it is sent on', () => {
    const sizes = [0, 1, 100, 4 * KiB, 4 * KiB + 1, 64 * KiB];
    for (const size of sizes.slice(0, 4)) channel.trySend(lease(7, size));
    const toMany = lease(7, 5);
    expect(channel.trySendMany([toMany])).toBe(0);
    toMany.release();
    const received = channel.tryReceiveMany();
    expect(received.map(({ size }) => size)).toEqual(sizes.slice(0, 4));
    expect(received.map((one) => one.view().length)).toEqual(sizes.slice(0, 4));
    expect(channel.trySendMany(received.slice(2))).toBe(2);
    expect(channel.trySendMany(sizes.slice(4).map((size) => lease(7, size)))).toBe(2);
    for (const size of sizes.slice(2)) {
      const one = channel.tryReceive() as ReceivedLease;
      expect([one.size, one.view().length, one.tag]).toEqual([size, size, 0]);
      one.release();
    }
    pool.releaseMany(received.slice(0, 2));
  });

  test('are leases like any other: to release, transfer, send on, or dispose of', () => {
    channel.trySend(lease(1, 100));
    const first = channel.tryReceive() as ReceivedLease;
    expect([first.size, first.capacity, first.view().length]).toEqual([100, 4 * KiB, 100]);
    expect(pool.outstanding()).toBe(1);
    channel.trySend(first, undefined, 2);
    expect(() => first.bytes).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    const second = channel.tryReceive() as ReceivedLease;
    expect([second.tag, first.tag]).toEqual([2, 0]);
    const third = pool.adopt(second.transfer());
    check(third.bytes, 1);
    third[Symbol.dispose]();
  });

  test('are in flight while they are in the channel, and nobody gets them meanwhile', () => {
    for (let i = 0; i < 4; i++) channel.trySend(lease(i, 64 * KiB), undefined, i);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 4 * 64 * KiB, leasedBytes: 0, outstanding: 0 });
    checkBooks(pool);
    const others = pool.acquireMany(64 * KiB, 20);
    for (const { bytes } of others) bytes.fill(0xff);
    for (let i = 0; i < 4; i++) receive(i);
    pool.releaseMany(others);
  });
});

describe('capacity', () => {
  test.each([
    [2, 2],
    [3, 4],
    [4, 4],
    [5, 8],
    [1000, 1024],
    [65_536, 65_536],
  ])('%i: room for %i messages', (capacity, room) => {
    const large = new BufferPool({ tiers: [64], backend: 'native' });
    const wide = new Channel(large, { capacity });
    for (let i = 0; i < room; i++) assert(wide.trySend(large.acquire(1)));
    const last = large.acquire(1);
    expect(wide.trySend(last)).toBe(false);
    expect(last.bytes.length).toBe(64);
    wide.tryReceive()?.release();
    expect(wide.trySend(last)).toBe(true);
    large.close();
  });

  test('a full channel leaves the lease with its sender, and its bytes alone', () => {
    expect(fillUp()).toBe(4);
    const kept = lease(99);
    for (let i = 0; i < 3; i++) expect(channel.trySend(kept, undefined, 99)).toBe(false);
    check(kept.bytes, 99);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 4 * 4 * KiB, outstanding: 1 });
    receive(0);
    expect(channel.trySend(kept, undefined, 99)).toBe(true);
    for (const seed of [1, 2, 3, 99]) receive(seed);
  });

  test('senders that wait get their turn in order, each as soon as there is room', async () => {
    const other = join();
    fillUp();
    const settled: number[] = [];
    const sends = [10, 11, 12].map((seed) =>
      channel.send(lease(seed), undefined, seed).then(() => {
        settled.push(seed);
      }),
    );
    expect(await pends(Promise.race(sends))).toBe(true);
    expect(pool.outstanding()).toBe(3);
    receive(0, other);
    await sends[0];
    expect(await pends(Promise.race(sends.slice(1)))).toBe(true);
    for (const seed of [1, 2]) receive(seed, other);
    await Promise.all(sends);
    expect(settled).toEqual([10, 11, 12]);
    for (const seed of [3, 10, 11, 12]) receive(seed, other);
    other.leave();
  });
});

describe('receivers that wait', () => {
  test('get theirs in order, and are woken from another endpoint', async () => {
    const other = join();
    const received = [1, 2, 3].map(() => channel.receive());
    expect(await pends(Promise.race(received))).toBe(true);
    for (const seed of [1, 2, 3]) other.trySend(lease(seed), undefined, seed);
    for (const [i, one] of (await Promise.all(received)).entries()) {
      expect(one?.tag).toBe(i + 1);
      one?.release();
    }
    other.leave();
  });

  test('iterate over all messages, until the channel is closed and empty', async () => {
    const other = join();
    const seen: number[] = [];
    const consumer = (async () => {
      for await (const one of other) {
        check(one.bytes, one.tag);
        seen.push(one.tag);
        one.release();
      }
    })();
    for (let i = 0; i < 50; i++) await channel.send(lease(i), undefined, i);
    channel.close();
    await consumer;
    expect(seen).toEqual(Array.from({ length: 50 }, (_, i) => i));
    other.leave();
  });

  test('that break out of the iteration lose nothing', async () => {
    for (let i = 0; i < 3; i++) channel.trySend(lease(i), undefined, i);
    for await (const one of channel) {
      one.release();
      break;
    }
    for (const seed of [1, 2]) receive(seed);
  });

  test('and that are too late for what tryReceive has taken go on waiting', async () => {
    const other = join();
    const waiting = channel.receive();
    await setImmediate();
    other.trySend(lease(1), undefined, 1);
    receive(1, channel);
    expect(await pends(waiting)).toBe(true);
    other.trySend(lease(2), undefined, 2);
    const received = await waiting;
    expect(received?.tag).toBe(2);
    received?.release();
    other.leave();
  });

  test('one of several endpoints that wait gets each message: nobody sleeps beside one', async () => {
    const others = Array.from({ length: 8 }, join);
    for (let round = 0; round < 20; round++) {
      const waiting = others.map((other) => other.receive());
      await setImmediate();
      for (let seed = 0; seed < 8; seed++) await channel.send(lease(seed), undefined, seed);
      const received = await Promise.all(waiting);
      expect(received.map((one) => one?.tag).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
      for (const one of received) one?.release();
    }
    for (const other of others) other.leave();
  });

  test('are not forgotten when receiveSync of the same thread takes the message that woke them', async () => {
    const other = join();
    const waiting = channel.receive();
    await setImmediate();
    other.trySend(lease(1), undefined, 1);
    const first = channel.receiveSync(0);
    expect(first?.tag).toBe(1);
    first?.release();
    expect(channel.receiveSync(1)).toBeNull();
    other.trySend(lease(2), undefined, 2);
    const second = await waiting;
    expect(second?.tag).toBe(2);
    second?.release();
    other.leave();
  });
});

describe('AbortSignal', () => {
  const reason = new Error('enough');

  test('aborted before: rejects with its reason, takes and sends nothing', async () => {
    channel.trySend(lease(1), undefined, 1);
    const kept = lease(2);
    const signal = AbortSignal.abort(reason);
    await expect(channel.receive({ signal })).rejects.toBe(reason);
    await expect(channel.send(kept, 0, 0, { signal })).rejects.toBe(reason);
    check(kept.bytes, 2);
    expect(channel.size).toBe(1);
    kept.release();
    receive(1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('aborted while it waits: the others keep their places, and the lease of a send stays its owner’s', async () => {
    fillUp();
    const [one, two, three] = [lease(10), lease(11), lease(12)];
    const controller = new AbortController();
    const { signal } = controller;
    const first = channel.send(one, undefined, 10);
    const second = channel.send(two, undefined, 11, { signal });
    const third = channel.send(three, undefined, 12);
    expect(await pends(Promise.race([first, second, third]))).toBe(true);
    controller.abort(reason);
    await expect(second).rejects.toBe(reason);
    check(two.bytes, 11);
    two.release();
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    for (const seed of [0, 1]) receive(seed);
    await Promise.all([first, third]);
    for (const seed of [2, 3, 10, 12]) receive(seed);
  });

  test('leaves no listener behind when the wait ends otherwise', async () => {
    const { signal } = new AbortController();
    const other = join();
    const received = channel.receive({ signal });
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    other.trySend(lease(1));
    (await received)?.release();
    const pending = channel.receive({ signal });
    await setImmediate();
    channel.leave();
    await expect(pending).rejects.toEqual(channelClosed);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    other.leave();
  });

  test('of the endpoint that is to be woken does not make the others miss the message', async () => {
    const [one, two] = [join(), join()];
    const controller = new AbortController();
    const first = one.receive({ signal: controller.signal });
    await setImmediate();
    const second = two.receive();
    await setImmediate();
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    channel.trySend(lease(7), undefined, 7);
    expect(await pends(second)).toBe(false);
    (await second)?.release();
    for (const endpoint of [one, two]) endpoint.leave();
  });

  test('of a sender that is to be woken does not make the others miss the room', async () => {
    const [one, two] = [join(), join()];
    fillUp();
    const [kept, sent] = [lease(10), lease(11)];
    const controller = new AbortController();
    const first = one.send(kept, undefined, 10, { signal: controller.signal });
    await setImmediate();
    const second = two.send(sent, undefined, 11);
    await setImmediate();
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    receive(0);
    expect(await pends(second)).toBe(false);
    await second;
    kept.release();
    for (const seed of [1, 2, 3, 11]) receive(seed);
    for (const endpoint of [one, two]) endpoint.leave();
  });
});
