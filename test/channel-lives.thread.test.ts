// How long a channel lives: with whom it ends, who holds it open, and what becomes of those that are dropped.
import { once } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BufferPool, Channel, type ReceivedLease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { checkBooks, coded, KiB } from './backends.js';
import { fixture, run } from './child.js';
import { check, stamp } from './fixtures/payload.mjs';

let pool: BufferPool;
beforeEach(() => {
  pool = new BufferPool({ name: 'lived', tiers: [4 * KiB], epochMs: 0, backend: 'native' });
});
afterEach(() => {
  pool.assertNoLeaks();
  expect(pool.stats().inFlightBytes).toBe(0);
  checkBooks(pool);
  pool.close();
});

describe('B8: a channel that its maker holds open', () => {
  test('a worker that crashes and is replaced costs no message that was in it, and its sender only waits', async () => {
    const channel = new Channel(pool, { capacity: 8, holdOpen: true });
    const replies = new Channel(pool, { capacity: 8, holdOpen: true });
    const workerData = { role: 'stay', pool: pool.handle, channel: channel.handle, replies: replies.handle };
    const start = async (role: string) => {
      const worker = new Worker(new URL('fixtures/endpoint.mjs', import.meta.url), {
        workerData: { ...workerData, role },
      });
      onTestFinished(async () => {
        await worker.terminate();
      });
      if (role !== 'echo') await once(worker, 'message');
      return worker;
    };
    const first = await start('stay, event loop turning');
    const sends: Promise<void>[] = [];
    const send = (seed: number) => {
      const lease = pool.acquire(100);
      stamp(lease.bytes, seed);
      sends.push(channel.send(lease, undefined, seed));
    };
    for (let seed = 0; seed < 4; seed++) send(seed);
    await first.terminate();
    expect([channel.peers, channel.size]).toEqual([0, 4]);
    // More than there is room for: the last ones wait, and so does who waits for replies.
    const reply = replies.receive();
    for (let seed = 4; seed < 12; seed++) send(seed);
    expect(channel.size).toBe(8);
    await setImmediate();
    const second = await start('echo');
    await Promise.all(sends);
    for (let seed = 0; seed < 12; seed++) {
      const lease = (await (seed === 0 ? reply : replies.receive())) as ReceivedLease;
      expect(lease.tag).toBe(seed + 1);
      check(lease.bytes, seed + 1);
      lease.release();
    }
    channel.close();
    await once(second, 'exit');
    channel.leave();
    replies.leave();
  });

  test('a receiver that is being terminated leaves a message that wakes it to others', async () => {
    const channel = new Channel(pool, { holdOpen: true });
    const workerData = { role: 'wait', pool: pool.handle, channel: channel.handle };
    for (let tag = 1; tag <= 20; tag++) {
      const worker = new Worker(new URL('fixtures/endpoint.mjs', import.meta.url), { workerData });
      await once(worker, 'message');
      await setTimeout(5); // asleep, most likely
      const ended = worker.terminate();
      channel.trySend(pool.acquire(100), undefined, tag);
      await ended;
      const lease = channel.tryReceive();
      expect(lease?.tag).toBe(tag);
      lease?.release();
    }
    channel.leave();
  });

  test('is no longer when its maker has left: the others are told as ever', async () => {
    const maker = new Channel(pool, { holdOpen: true });
    const [one, two] = [1, 2].map(() => Channel.attach(pool, maker.handle));
    two.leave();
    const waiting = one.receive();
    const failing = expect(waiting).rejects.toEqual(coded('ERR_SLABPOOL_PEER_GONE'));
    await setImmediate();
    maker.leave();
    await failing;
    one.leave();
  });

  test('closed, it ends as any other', async () => {
    const maker = new Channel(pool, { holdOpen: true });
    Channel.attach(pool, maker.handle).leave();
    const waiting = maker.receive();
    await setImmediate();
    maker.close();
    expect(await waiting).toBeNull();
    maker.leave();
  });
});

describe('B5: channels', () => {
  test('that are dropped are collected, and what was in them comes home; not those that somebody waits at or that are held open', async () => {
    const ended = await run(fixture('dropped-channels.mjs'), [], { execArgv: ['--expose-gc'] });
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'collected, kept\n', stderr: '' });
  });

  test('4,096 at once, and one more fails with its own code and the true words', () => {
    const member = BufferPool.attach(pool.handle);
    const channels: Channel[] = [];
    const error = coded('ERR_SLABPOOL_LIMIT', /4096 channels in this process, the most there can be/, {
      pool: 'lived',
    });
    expect(() => {
      for (;;) channels.push(new Channel(member, { capacity: 2 }));
    }).toThrow(error as Error);
    expect(channels).toHaveLength(4096);
    const { handle } = channels[7];
    channels[7].leave();
    channels[7] = new Channel(member, { capacity: 2 });
    expect(() => Channel.attach(member, handle)).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED', /no such channel/));
    member.close();
  });
});

describe('waiting with an end', () => {
  test('C: receive({ timeout }) and the others reject, take nothing, and the next in the queue is served', async () => {
    const channel = new Channel(pool, { capacity: 2 });
    const other = Channel.attach(pool, channel.handle);
    const timedOut = (words: RegExp) => coded('ERR_SLABPOOL_TIMEOUT', words, { details: { timeoutMs: 20 } });
    const after = channel.receive({ timeout: 20 });
    const next = channel.receive();
    await expect(after).rejects.toEqual(timedOut(/no message came for 20 ms/));
    other.trySend(pool.acquire(1), undefined, 5);
    const lease = (await next) as ReceivedLease;
    expect(lease.tag).toBe(5);
    lease.release();
    await expect(channel.receiveMany(3, { timeout: 20 })).rejects.toEqual(timedOut(/no message came/));

    const leases = pool.acquireMany(1, 4);
    expect(other.trySendMany(leases.slice(0, 2))).toBe(2);
    await expect(other.send(leases[2], 0, 0, { timeout: 20 })).rejects.toEqual(timedOut(/the channel stayed full/));
    await expect(other.sendMany(leases.slice(2), undefined, { timeout: 20 })).rejects.toEqual(timedOut(/full/));
    pool.releaseMany([...leases.slice(2), ...channel.tryReceiveMany()]);
    channel.leave();
    other.leave();
  });

  test('a timeout of 0 does not wait, and does not get ahead of who does', async () => {
    const channel = new Channel(pool);
    const other = Channel.attach(pool, channel.handle);
    const first = channel.receive();
    await expect(channel.receive({ timeout: 0 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    other.trySend(pool.acquire(1), undefined, 1);
    ((await first) as ReceivedLease).release();
    other.trySend(pool.acquire(1), undefined, 2);
    ((await channel.receive({ timeout: 0 })) as ReceivedLease).release();
    channel.leave();
    other.leave();
  });

  test('C: receiveSync(50) returns, and receive({ timeout }) rejects, under fake timers', async () => {
    const channel = new Channel(pool);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'Date', 'performance', 'hrtime'] });
    try {
      expect(channel.receiveSync(50)).toBeNull();
      await expect(channel.receive({ timeout: 5 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    } finally {
      vi.useRealTimers();
    }
    channel.leave();
  });

  test('C: one shutdown signal for hundreds of waits: no warning, and all end', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const channel = new Channel(pool);
    const controller = new AbortController();
    const waits = Array.from({ length: 500 }, () => channel.receive({ signal: controller.signal }));
    const settled = Promise.allSettled(waits);
    for (let i = 0; i < 3; i++) await setImmediate();
    controller.abort(new Error('shutdown'));
    expect(new Set((await settled).map((one) => (one as PromiseRejectedResult).reason))).toEqual(
      new Set([controller.signal.reason]),
    );
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    channel.leave();
  });

  test.each<[string, (channel: Channel, member: BufferPool) => void]>([
    ['leaves the channel', (channel) => channel.leave()],
    ['closes the channel', (channel) => channel.close()],
    ['closes the pool', (_, member) => member.close()],
  ])('C: an abort listener that %s: each wait ends once', async (_, what) => {
    const member = BufferPool.attach(pool.handle);
    const channel = new Channel(member);
    const controller = new AbortController();
    const first = channel.receive({ signal: controller.signal });
    const other = channel.receive();
    controller.signal.addEventListener('abort', () => what(channel, member));
    controller.abort();
    for (const one of await Promise.allSettled([first, other])) {
      expect(one.status === 'fulfilled' ? one.value : (one.reason.code ?? one.reason.name)).toSatisfy((end: unknown) =>
        [null, 'AbortError', 20, 'ERR_SLABPOOL_CHANNEL_CLOSED'].includes(end as null),
      );
    }
    member.close();
  });

  test('C: the handle of another realm, told by its shape', async () => {
    const { runInNewContext } = await import('node:vm');
    const channel = new Channel(pool);
    const { handle } = channel;
    const foreign = runInNewContext(
      '({ slabpool, address: { ...address }, sleepers: new SharedArrayBuffer(sleepers.byteLength) })',
      handle,
    );
    const other = Channel.attach(pool, foreign);
    expect(channel.peers).toBe(1);
    other.leave();
    channel.leave();
  });

  test('C: using leaves the channel', () => {
    const channel = new Channel(pool);
    {
      using other = Channel.attach(pool, channel.handle);
      expect(other.peers).toBe(1);
    }
    expect(channel.peers).toBe(0);
    channel[Symbol.dispose]();
    channel[Symbol.dispose]();
    expect(() => channel.tryReceive()).toThrow(coded('ERR_SLABPOOL_CHANNEL_CLOSED'));
  });
});
