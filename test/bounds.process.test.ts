// What must stay bounded when a service has a bad day: pools that come and go, fragmented pools, idle ones.
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, KiB, MiB } from './backends.js';
import { fixture, run } from './child.js';

const onLinux = process.platform === 'linux';
const gc = globalThis.gc as () => void;

describe.runIf(onLinux)('A1: what closed pools leave behind', () => {
  const mappings = () => readFileSync('/proc/self/maps', 'utf8').split('\n').length;

  async function comeAndGo(pools: number): Promise<void> {
    for (let i = 0; i < pools; i++) {
      const pool = new BufferPool({ backend: 'native' });
      for (const tier of pool.tiers) pool.acquire(tier).release();
      pool.close();
      if (i % 10 === 0) gc();
      await setImmediate();
    }
  }

  test('is no mapping for each of them', async () => {
    await comeAndGo(100);
    const before = mappings();
    await comeAndGo(400);
    // They were 28 for each pool.
    expect(mappings() - before).toBeLessThan(200);
  });
});

describe('A2: trim() of a fragmented pool', () => {
  test('takes a system call for each run of free pages, not for each block', () => {
    const pool = new BufferPool({ backend: 'native', tiers: [4 * KiB], maxBytes: 32 * MiB, epochMs: 0 });
    const leases = pool.acquireMany(4 * KiB, 8192);
    const kept = leases.filter((_, i) => i % 512 === 0);
    pool.releaseMany(leases.filter((_, i) => i % 512 !== 0));
    const before = pool.stats();
    expect(pool.trim()).toBe(32 * MiB - kept.length * 4 * KiB);
    // A slab of 2 MiB is one run, and each lease in it makes one more at the most.
    const slabs = before.classes[0]?.slabs as number;
    expect(pool.stats().drops.calls - before.drops.calls).toBeLessThanOrEqual(slabs + kept.length);
    for (const [i, { bytes }] of kept.entries()) bytes.fill(i);
    checkBooks(pool);
    pool.releaseMany(kept);
    pool.close();
  });
});

describe.runIf(onLinux)('A6: an epoch of a millisecond', () => {
  test('does not make the janitor look at memory each millisecond', async () => {
    const { stdout, stderr } = await run(fixture('idle-reads.mjs'), []);
    expect(stderr).toBe('');
    const { reads, ms } = JSON.parse(stdout);
    // A look takes some twenty reads, and there was one each epoch.
    expect(reads).toBeLessThan((50 * (ms + 200)) / 100);
  });
});

describe.each(BACKENDS)('A8: small leases that stay, on the %s core,', (backend) => {
  test.each([
    ['one in 32 of 1 KiB, of a full budget', KiB, 8192, 32],
    ['256 idle connections of 2 KiB, of a full budget', 2 * KiB, 4096, 16],
  ])('pin little: %s', (_, size, count, nth) => {
    const pool = new BufferPool({ backend, tiers: [size, 64 * KiB], maxBytes: 8 * MiB, epochMs: 0 });
    const leases = pool.acquireMany(size, count);
    const kept = leases.filter((_, i) => i % nth === 0);
    pool.releaseMany(leases.filter((_, i) => i % nth !== 0));
    const large = pool.acquireMany(64 * KiB, (7 * MiB) / (64 * KiB));
    const { pinnedBytes, residentBytes, maxBytes } = pool.stats();
    expect(residentBytes).toBeLessThanOrEqual(maxBytes);
    expect(pinnedBytes).toBeLessThanOrEqual(kept.length * 4 * KiB);
    checkBooks(pool);
    pool.releaseMany([...large, ...kept]);
    pool.close();
  });
});
