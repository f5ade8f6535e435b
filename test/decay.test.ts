import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { afterEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, heapOf, KiB, MiB } from './backends.js';
import { run } from './child.js';
import { Member, terminateAll } from './member.js';

const EPOCH_MS = 20;

afterEach(terminateAll);

/** Long enough for a machine that has other things to do; most are done after three epochs. */
async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !what(); tries++) await setTimeout(10);
  expect(what()).toBe(true);
}

const resident = (pool: BufferPool) => pool.stats().residentBytes;

describe.each(BACKENDS)('decay on the %s core', (backend) => {
  test('what nobody uses is given back by itself, magazines included', async () => {
    const pool = new BufferPool({ backend, epochMs: EPOCH_MS });
    for (let times = 0; times < 3; times++) {
      pool.releaseMany(pool.acquireMany(64 * KiB, 100));
      pool.releaseMany(pool.acquireMany(1000, 200));
      expect(resident(pool)).toBeGreaterThan(6 * MiB);
      await until(() => resident(pool) === 0);
    }
    checkBooks(pool);
    pool.close();
  });

  test('leases that are out keep their bytes, and come back when they are released', async () => {
    const pool = new BufferPool({ backend, epochMs: EPOCH_MS, tiers: [64 * KiB] });
    const leases = pool.acquireMany(64 * KiB, 20);
    for (const [i, { bytes }] of leases.entries()) bytes.fill(i);
    pool.releaseMany(pool.acquireMany(64 * KiB, 50));
    await until(() => resident(pool) === 20 * 64 * KiB);
    for (const [i, { bytes }] of leases.entries()) expect(bytes.every((byte) => byte === i)).toBe(true);
    // In the magazine by the fast path alone: the thread looks at it all the same.
    for (const lease of leases) lease.release();
    await until(() => resident(pool) === 0);
    expect(pool.outstanding()).toBe(0);
    checkBooks(pool);
    pool.close();
  });

  test('an epoch of 0 means no decay', async () => {
    const pool = new BufferPool({ backend, epochMs: 0 });
    pool.releaseMany(pool.acquireMany(64 * KiB, 100));
    const before = resident(pool);
    await setTimeout(60);
    expect(resident(pool)).toBe(before);
    pool.close();
  });

  test('neither an idle nor a forgotten pool keeps the process alive, however it ends', async () => {
    for (const end of ['', 'pool.close();', 'process.exit(0);', 'setTimeout(() => process.exit(0), 30);']) {
      const script = `
        import { BufferPool } from 'slabpool';
        const pool = new BufferPool({ backend: '${backend}', epochMs: 1 });
        pool.releaseMany(pool.acquireMany(65536, 1000));
        ${end}`;
      const ended = await run('-', [], { execArgv: ['--input-type=module', '-e', script] });
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    }
  });
});

test('buffers of the TypeScript core that decayed are collected', async () => {
  const pool = new BufferPool({ backend: 'js', epochMs: EPOCH_MS });
  const { arrayBuffers } = process.memoryUsage();
  pool.releaseMany(pool.acquireMany(MiB, 64));
  await until(() => resident(pool) === 0);
  await until(() => {
    gc?.();
    return process.memoryUsage().arrayBuffers < arrayBuffers + MiB;
  });
  pool.close();
});

test('a buffer that was detached while it was free is not leased, also when it has decayed in part', async () => {
  const pool = new BufferPool({ backend: 'js', epochMs: 0, tiers: [64 * KiB] });
  const leases = pool.acquireMany(64 * KiB, 12);
  const buffers = leases.map(({ buffer }) => buffer);
  pool.releaseMany(leases);
  const { ticker } = heapOf(pool);
  ticker.tick(); // nothing was acquired since: the magazine is flushed at the next
  ticker.tick();
  for (const buffer of buffers) structuredClone(buffer, { transfer: [buffer] });
  for (const { bytes } of pool.acquireMany(64 * KiB, 12)) expect(bytes.length).toBe(64 * KiB);
  checkBooks(pool);
  pool.close();
});

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
