// The iterator of a channel: how it ends, and what it leaves in the channel.
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { BufferPool, Channel, type ReceivedLease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded } from './backends.js';

const done = { done: true, value: undefined };

let pool: BufferPool;
let channel: Channel;
let other: Channel;
beforeEach(() => {
  pool = new BufferPool({ tiers: [4096], epochMs: 0, backend: 'native' });
  channel = new Channel(pool, { capacity: 8 });
  other = Channel.attach(pool, channel.handle);
});
afterEach(() => {
  channel.leave();
  other.leave();
  pool.assertNoLeaks();
  expect(pool.stats().inFlightBytes).toBe(0);
  checkBooks(pool);
  pool.close();
});

const send = (tag: number) => other.send(pool.acquire(100), undefined, tag);

async function receive(...tags: number[]): Promise<void> {
  await setImmediate();
  const leases = channel.tryReceiveMany();
  expect(leases.map(({ tag }) => tag)).toEqual(tags);
  pool.releaseMany(leases);
}

describe('B4: the iterator of a channel', () => {
  test('return() ends a next() that waits, and the message stays in the channel', async () => {
    const messages = channel.messages();
    const waiting = [messages.next(), messages.next()];
    expect(await messages.return?.()).toEqual(done);
    expect(await Promise.all(waiting)).toEqual([done, done]);
    await send(1);
    expect(await messages.next()).toEqual(done);
    await receive(1);
  });

  test('throw() does so as well, and rejects with its reason', async () => {
    const messages = channel.messages();
    const waiting = messages.next();
    const reason = new Error('enough');
    await expect(messages.throw?.(reason)).rejects.toBe(reason);
    expect(await waiting).toEqual(done);
    await send(1);
    await receive(1);
  });

  test('others that wait at the same channel keep their places', async () => {
    const messages = channel.messages();
    const before = channel.receive();
    const given = messages.next();
    const after = channel.receive();
    await messages.return?.();
    expect(await given).toEqual(done);
    for (const tag of [1, 2]) await send(tag);
    for (const [i, one] of [before, after].entries()) {
      const lease = (await one) as ReceivedLease;
      expect(lease.tag).toBe(i + 1);
      lease.release();
    }
  });

  test('a message that came before return() is its caller’s, whoever asked', async () => {
    const messages = channel.messages();
    const waiting = messages.next();
    await send(1);
    while (channel.size > 0) await setImmediate();
    await messages.return?.();
    const { value } = (await waiting) as IteratorYieldResult<ReceivedLease>;
    expect(value.tag).toBe(1);
    value.release();
  });

  test.each([undefined, new Error('broken')])(
    'a Readable that is destroyed leaves nothing waiting (%s)',
    async (error) => {
      const readable = Readable.from(channel);
      const seen: number[] = [];
      readable.on('data', (lease: ReceivedLease) => {
        seen.push(lease.tag);
        lease.release();
      });
      readable.on('error', () => {});
      await send(1);
      while (seen.length === 0) await setImmediate();
      await setImmediate();
      readable.destroy(error);
      await send(2);
      await receive(2);
      expect(seen).toEqual([1]);
      expect(pool.outstanding()).toBe(0);
    },
  );

  test('messages({ signal }) rejects the waiting next() with the reason; what comes later stays', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const seen: number[] = [];
    const iterate = async () => {
      for await (const lease of channel.messages({ signal })) {
        seen.push(lease.tag);
        lease.release();
      }
    };
    const iteration = iterate();
    await send(1);
    while (seen.length === 0) await setImmediate();
    await setImmediate();
    const reason = new Error('shutdown');
    controller.abort(reason);
    await send(2);
    await expect(iteration).rejects.toBe(reason);
    await expect(iterate()).rejects.toBe(reason);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await receive(2);
    expect(seen).toEqual([1]);
  });

  test('messages({ timeout }) is the time for each message', async () => {
    const messages = channel.messages({ timeout: 20 });
    await send(1);
    const first = (await messages.next()) as IteratorYieldResult<ReceivedLease>;
    first.value.release();
    await expect(messages.next()).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT', /no message came for 20 ms/));
    await send(2);
    await receive(2);
    const again = messages.next();
    await send(3);
    const { value } = (await again) as IteratorYieldResult<ReceivedLease>;
    expect(value.tag).toBe(3);
    value.release();
  });

  test('ends with the channel, and after return()', async () => {
    await send(1);
    channel.close();
    const tags: number[] = [];
    const messages = channel.messages();
    for await (const lease of messages) {
      tags.push(lease.tag);
      lease.release();
    }
    expect(tags).toEqual([1]);
    expect(await messages.next()).toEqual(done);
    other.leave();
    const left = channel.messages();
    channel.leave();
    await expect(left.next()).rejects.toEqual(coded('ERR_SLABPOOL_CHANNEL_CLOSED'));
    expect(await left.return?.()).toEqual(done);
    expect(await left.next()).toEqual(done);
  });
});
