// stats() against the operating system, and counters that have gone far.
import { readFileSync } from 'node:fs';
import { BufferPool, type Lease } from 'slabpool';
import { describe, expect, test } from 'vitest';
import type { Magazine } from '../dist/lease/magazine.js';
import { BACKENDS, checkBooks, detach, heapOf, KiB, MiB } from './backends.js';

/** Bytes of memory in mappings that are kept from having huge pages, as those of pools are: what V8 takes meanwhile is not in it. */
function rss(): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return mappings
    .filter((mapping) => /^VmFlags:.* nh/m.test(mapping))
    .reduce((sum, mapping) => sum + Number(/^Rss:\s+(\d+) kB$/m.exec(mapping)?.[1]) * KiB, 0);
}

/** Pages at the ends of slabs: a twentieth of what is measured. */
const NOISE = 8 * MiB;

function touch(leases: readonly Lease[]): void {
  for (const { bytes } of leases) for (let at = 0; at < bytes.length; at += 4096) bytes[at] = 1;
}

test.skipIf(process.platform !== 'linux')(
  'resident bytes are what the kernel says, wherever the blocks are: out, in flight, cached, retired, cold',
  async () => {
    const pool = new BufferPool({
      backend: 'native',
      maxBytes: 256 * MiB,
      epochMs: 60_000,
      tiers: [4 * KiB, 64 * KiB, MiB],
    });
    const all = () => [
      ...pool.acquireMany(MiB, 64),
      ...pool.acquireMany(64 * KiB, 1024),
      ...pool.acquireMany(4 * KiB, 8192),
    ];
    // The objects of the blocks and of the leases, before anything is measured.
    for (let i = 0; i < 3; i++) pool.releaseMany(all());
    pool.trim();
    const start = rss();
    const agrees = (what: string) => {
      const stats = pool.stats();
      const parts =
        stats.leasedBytes + stats.inFlightBytes + stats.cachedBytes + stats.quarantinedBytes + stats.retiredBytes;
      expect(stats.residentBytes, what).toBe(parts);
      expect(Math.abs(rss() - start - stats.residentBytes), what).toBeLessThan(NOISE);
      checkBooks(pool);
      return stats;
    };
    const leases = all();
    touch(leases);
    expect(agrees('out').leasedBytes).toBe(160 * MiB);

    const tickets = leases.splice(0, 16).map((lease) => lease.transfer());
    expect(agrees('in flight').inFlightBytes).toBe(16 * MiB);
    for (const ticket of tickets) leases.push(pool.adopt(ticket));

    const lost = leases.splice(0, 8);
    // The new owners are kept: what they hold is what is retired.
    const owners = await Promise.all(lost.map(({ bytes }) => detach(bytes)));
    pool.releaseMany(lost);
    expect(agrees('retired').retiredBytes).toBe(8 * MiB);
    expect(owners).toHaveLength(8);

    pool.releaseMany(leases);
    expect(agrees('cached').cachedBytes).toBe(152 * MiB);
    pool.trim();
    expect(agrees('cold')).toMatchObject({ cachedBytes: 0, residentBytes: 8 * MiB });
    pool.close();
  },
);

/** As if so many leases had been taken before. */
function startAt(magazine: Magazine, acquires: number): void {
  magazine.sampleAfter(acquires + 1000 - magazine.acquires);
  magazine.untilSample = 1000;
}

describe.each(BACKENDS)('on the %s core', (backend) => {
  test('the figures of stats() add up when memory goes back, or is taken, while they are read', () => {
    const pool = new BufferPool({ backend, maxBytes: 16 * MiB, epochMs: 0 });
    const { core } = heapOf(pool);
    const read = core.stats;
    const whileRead = (happens: () => void) => {
      core.stats = () => {
        const rows = read.call(core);
        happens();
        return rows;
      };
      const { classes, ...all } = pool.stats();
      core.stats = read;
      for (const part of [all, ...classes]) {
        const { leasedBytes, inFlightBytes, cachedBytes, quarantinedBytes, retiredBytes, pinnedBytes } = part;
        expect(part.residentBytes).toBe(
          leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes,
        );
      }
      return all;
    };
    const leases = pool.acquireMany(64 * KiB, 64);
    const before = whileRead(() => {
      pool.releaseMany(leases);
      pool.trim();
    });
    expect(before).toMatchObject({ leasedBytes: 4 * MiB, residentBytes: 4 * MiB });
    const after = whileRead(() => void leases.splice(0, 64, ...pool.acquireMany(64 * KiB, 64)));
    expect(after).toMatchObject({ leasedBytes: 0, residentBytes: 4 * MiB });
    pool.releaseMany(leases);
    checkBooks(pool);
    pool.close();
  });

  test.each([2 ** 31 - 3, 2 ** 32 - 3, 2 ** 40, 2 ** 52 - 100])('counters go on across %i', (high) => {
    const pool = new BufferPool({ backend, tiers: [4 * KiB], maxOversizeBytes: MiB });
    pool.acquire(1).release();
    const [magazine] = heapOf(pool).magazines;
    startAt(magazine, high);
    for (let i = 0; i < 6; i++) pool.acquire(1).release();
    expect(pool.stats()).toMatchObject({ acquires: high + 6, outstanding: 0 });
    // Through the core as well: refills and flushes carry the counts.
    pool.releaseMany(pool.acquireMany(1, 50));
    const { acquires, hits, threads } = pool.stats();
    expect(acquires).toBe(high + 56);
    expect(threads.map((thread) => thread.acquires)).toEqual([high + 56]);
    expect(Object.values(hits).reduce((sum, n) => sum + n, 0)).toBe(high + 56);
    const { oversize } = heapOf(pool);
    startAt(oversize.magazine, high);
    oversize.dropped = high;
    pool.acquire(MiB).release();
    expect(pool.stats()).toMatchObject({
      oversize: { acquires: high + 1, outstanding: 0 },
      drops: { oversize: high + 1 },
    });
    checkBooks(pool);
    pool.close();
  });

  test('a wall clock that jumps changes nothing: epochs, timeouts and ages are by clocks that do not', async () => {
    const pool = new BufferPool({ backend, epochMs: 20, maxBytes: 64 * KiB, tiers: [64 * KiB] });
    const now = Date.now;
    try {
      pool.acquire(1).release();
      Date.now = () => now() + 2 ** 41;
      const lease = pool.acquire(1);
      const before = performance.now();
      await expect(pool.acquireAsync(1, { timeout: 30 })).rejects.toThrow('within 30 ms');
      expect(performance.now() - before).toBeGreaterThan(25);
      Date.now = () => 0;
      lease.release();
      expect(pool.stats().ageMs).toBeGreaterThan(0);
      while (pool.stats().residentBytes > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    } finally {
      Date.now = now;
    }
    checkBooks(pool);
    pool.close();
  });
});
