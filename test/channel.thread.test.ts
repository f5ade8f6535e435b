import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, KiB } from './backends.js';
import { fixture, run } from './child.js';
import { check, stamp } from './fixtures/payload.mjs';

const peerGone = coded('ERR_SLABPOOL_PEER_GONE');

describe('channels between workers', () => {
  let pool: BufferPool;
  let channel: Channel;
  let workers: Worker[];
  beforeEach(() => {
    pool = new BufferPool({ tiers: [4 * KiB], epochMs: 0, backend: 'native' });
    channel = new Channel(pool, { capacity: 8 });
    workers = [];
  });
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
    channel.leave();
    pool.trim();
    expect(pool.stats()).toMatchObject({ residentBytes: 0, inFlightBytes: 0, leasedBytes: 0, quarantinedBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  function start(role: string, more = {}): Worker {
    const workerData = { role, pool: pool.handle, channel: channel.handle, ...more };
    const worker = new Worker(new URL('fixtures/endpoint.mjs', import.meta.url), { workerData });
    workers.push(worker);
    return worker;
  }

  async function started(role: string): Promise<Worker> {
    const worker = start(role);
    expect(await once(worker, 'message')).toEqual(['waiting']);
    return worker;
  }

  // A sleeper that no wake-up reached would look again after a second: so many of them take longer than the test may.
  test.each(['echo', 'echo, blocking'])('%s: 500 messages there and back, each waited for', async (role) => {
    const replies = new Channel(pool);
    start(role, { replies: replies.handle });
    while (channel.peers === 0 || replies.peers === 0) await new Promise(setImmediate);
    for (let i = 0; i < 500; i++) {
      const lease = pool.acquire(100);
      stamp(lease.bytes, i);
      await channel.send(lease, undefined, i);
      const reply = await replies.receive();
      check((reply as NonNullable<typeof reply>).bytes, i + 1);
      expect(reply?.tag).toBe(i + 1);
      reply?.release();
    }
    channel.close();
    await once(workers[0], 'exit');
    replies.leave();
  });

  test('backpressure: a sender that nobody receives from stops at the capacity, and goes on when there is room', async () => {
    await started('send');
    while (channel.size < 8) await new Promise(setImmediate);
    for (let i = 0; i < 20; i++) await new Promise(setImmediate);
    expect(channel.size).toBe(8);
    for (let i = 0; i < 200; i++) {
      const lease = await channel.receive();
      check((lease as NonNullable<typeof lease>).bytes, i);
      lease?.release();
    }
  });

  test.each(['wait', 'wait, blocking'])('%s: close wakes the receiver, which gets null', async (role) => {
    const worker = await started(role);
    channel.close();
    expect(await once(worker, 'message')).toEqual([{ received: null }]);
  });

  test.each(['wait', 'wait, blocking'])('%s: a receiver whose peers leave is told', async (role) => {
    const worker = await started(role);
    channel.leave();
    expect(await once(worker, 'message')).toEqual([{ code: 'ERR_SLABPOOL_PEER_GONE' }]);
  });

  test.each(['wait', 'wait, blocking'])('%s: a receiver can be terminated', async (role) => {
    const worker = await started(role);
    await worker.terminate();
    expect(channel.peers).toBe(0);
    const lease = pool.acquire(1);
    expect(() => channel.trySend(lease)).toThrow(peerGone);
    lease.release();
  });

  test.each(['wait', 'wait, blocking', 'stay, event loop turning'])(
    '%s: who waits for a worker that is terminated is told',
    async (role) => {
      const worker = await started(role);
      const waiting = expect(channel.receive()).rejects.toEqual(peerGone);
      await worker.terminate();
      await waiting;
      expect(() => channel.receiveSync()).toThrow(peerGone);
    },
  );

  test('a sender that waits for room is told when the last receiver dies', async () => {
    const worker = await started('stay, event loop turning');
    const leases = pool.acquireMany(1, 9);
    const sends = leases.map((lease) => channel.send(lease));
    const failing = expect(sends[8]).rejects.toEqual(peerGone);
    await Promise.all(sends.slice(0, 8));
    await worker.terminate();
    await failing;
    leases[8].release();
  });

  test('what was sent to receivers that died comes home with the last endpoint', async () => {
    const worker = await started('stay, event loop turning');
    for (const lease of pool.acquireMany(1, 8)) channel.trySend(lease);
    await worker.terminate();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 8 * 4 * KiB, quarantinedBytes: 0 });
    channel.leave();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 0 });
  });

  test('what a worker that died had sent is received all the same', async () => {
    const worker = await started('send');
    while (channel.size < 8) await new Promise(setImmediate);
    await worker.terminate();
    for (let i = 0; i < 8; i++) {
      const lease = channel.tryReceive();
      check((lease as NonNullable<typeof lease>).bytes, i);
      lease?.release();
    }
    expect(() => channel.tryReceive()).toThrow(peerGone);
  });

  test('the last endpoint is a worker that dies: it takes the messages home as well', async () => {
    const worker = await started('stay, event loop turning');
    for (const lease of pool.acquireMany(1, 8)) channel.trySend(lease);
    const { handle } = channel;
    channel.leave();
    expect(pool.stats().inFlightBytes).toBe(8 * 4 * KiB);
    await worker.terminate();
    expect(pool.stats().inFlightBytes).toBe(0);
    expect(() => Channel.attach(pool, handle)).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED'));
  });
});

test('B1: what trySend() has accepted is received before anybody is told that the channel is closed', async () => {
  const ended = await run(fixture('close-against-send.mjs'), ['300']);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'lost 0, late 0\n', stderr: '' });
});

test.each(['async', 'sync', 'mixed'])('three producers, two proxies, three consumers: %s', async (how) => {
  const ended = await run(fixture('many-to-many.mjs'), ['400', how]);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'each once\n', stderr: '' });
});

test('senders and receivers that are terminated at moments of chance strand nothing', async () => {
  const ended = await run(fixture('channel-deaths.mjs'), ['12']);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'nothing left\n', stderr: '' });
});

// 7: it is still alive when a timer that does not keep it alive ends it.
test.each([
  ['a channel that nobody waits on', 0],
  ['a receiver that waits', 7],
  ['a receiver that waits, after unref', 0],
  ['a receiver that waits, unref afterwards', 0],
  ['unref and ref again', 7],
  ['a receiver that has got its message', 0],
  ['a receiver that has given up', 0],
  ['a receiver whose channel was closed', 0],
  ['a receiver that has left', 0],
  ['process.exit while receivers wait, in workers as well', 7],
  ['a worker that waits keeps itself alive, until it is woken', 7],
  ['receivers that wait, asleep', 7],
  ['senders that wait, asleep', 7],
])('the process with %s ends with code %i', async (way, code) => {
  const ended = await run(fixture('channel-exit.mjs'), [way]);
  expect(ended).toEqual({ code, signal: null, stdout: '', stderr: '' });
});
