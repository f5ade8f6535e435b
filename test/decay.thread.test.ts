import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { afterEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, KiB, MiB } from './backends.js';
import { Member, terminateAll } from './member.js';

const EPOCH_MS = 20;

afterEach(terminateAll);

/** Long enough for a machine that has other things to do; most are done after three epochs. */
async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !what(); tries++) await setTimeout(10);
  expect(what()).toBe(true);
}

const resident = (pool: BufferPool) => pool.stats().residentBytes;

describe('decay with threads', () => {
  test('a worker that went quiet gives its magazines back as well', async () => {
    const pool = new BufferPool({ backend: 'native', epochMs: EPOCH_MS, tiers: [64 * KiB] });
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', 64 * KiB, 30));
    await until(() => resident(pool) === 0);
    pool.close();
  });

  test('so does one that blocks in receiveSync', async () => {
    const pool = new BufferPool({ backend: 'native', epochMs: EPOCH_MS, tiers: [64 * KiB] });
    const script = `
      const { workerData, parentPort } = require('node:worker_threads');
      import('slabpool').then(({ BufferPool, Channel }) => {
        const pool = BufferPool.attach(workerData);
        const channel = new Channel(pool);
        pool.releaseMany(pool.acquireMany(65536, 30));
        parentPort.postMessage('released');
        channel.receiveSync();
      });`;
    const worker = new Worker(script, { eval: true, workerData: pool.handle });
    await new Promise((resolve) => worker.once('message', resolve));
    await until(() => resident(pool) === 0);
    await worker.terminate();
    pool.close();
  });

  test('what a worker that was killed held, and its tickets, come back by themselves', async () => {
    const pool = new BufferPool({ backend: 'native', epochMs: EPOCH_MS, tiers: [64 * KiB] });
    const member = await Member.start(pool);
    const tickets = await member.call('transfer', await member.call('acquire', 64 * KiB, 10));
    await member.call('acquire', 64 * KiB, 10);
    await member.terminate();
    await until(() => resident(pool) === 0);
    expect(() => pool.adopt(tickets[0])).toThrow(coded('ERR_SLABPOOL_STALE_TICKET'));
    checkBooks(pool);
    pool.close();
  });

  test('a budget full of idle blocks of another thread is not full for long', async () => {
    const pool = new BufferPool({ backend: 'native', epochMs: EPOCH_MS, maxBytes: 4 * MiB });
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', 4 * KiB, 64));
    const leases = pool.acquireMany(MiB, 3);
    let lease: ReturnType<typeof pool.acquire> | undefined;
    for (let tries = 0; tries < 1000 && lease === undefined; tries++) {
      try {
        lease = pool.acquire(MiB);
      } catch (error) {
        expect(error).toEqual(coded('ERR_SLABPOOL_EXHAUSTED'));
        await setTimeout(10);
      }
    }
    expect(lease).toBeDefined();
    lease?.release();
    pool.releaseMany(leases);
    pool.close();
  });
});
