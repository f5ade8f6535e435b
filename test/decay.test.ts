import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, heapOf, KiB, MiB } from './backends.js';

const EPOCH_MS = 20;

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
      const leases = [...pool.acquireMany(64 * KiB, 100), ...pool.acquireMany(1000, 200)];
      expect(resident(pool)).toBeGreaterThan(6 * MiB);
      pool.releaseMany(leases);
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
