import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { coded, KiB, MiB, settled } from './backends.js';
import { fixture } from './child.js';

const CLOSED = coded('ERR_SLABPOOL_CLOSED', /drained/);

describe('A9: drain() of a pool that threads share', () => {
  test('it waits for leases, magazines, tickets and messages of all threads, which acquire nothing any more', async () => {
    const pool = new BufferPool({ maxBytes: 8 * MiB });
    const channel = new Channel(pool, { capacity: 16 });
    const worker = new Worker(fixture('drained.mjs'), { workerData: { pool: pool.handle, channel: channel.handle } });
    const next = async () => (await once(worker, 'message'))[0];
    expect(await next()).toBe('holds');
    for (let i = 0; i < 4; i++) channel.trySend(pool.acquire(KiB));
    const drained = pool.drain();
    expect(await next()).toBe('ERR_SLABPOOL_CLOSED');
    expect(await settled(drained)).toBe(false);
    worker.postMessage('receive');
    expect(await next()).toBe(4);
    expect(await settled(drained)).toBe(false);
    expect(() => BufferPool.attach(pool.handle)).toThrow(CLOSED);
    worker.postMessage('release');
    await drained;
    await worker.terminate();
  });

  test.each([0, 50])('a thread that ends with leases out does not keep it for ever (epochMs: %i)', async (epochMs) => {
    const pool = new BufferPool({ epochMs });
    const channel = new Channel(pool);
    const worker = new Worker(fixture('drained.mjs'), { workerData: { pool: pool.handle, channel: channel.handle } });
    await once(worker, 'message');
    const drained = pool.drain();
    await worker.terminate();
    await drained;
  });
});
