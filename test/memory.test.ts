import {
  closeSync,
  read as fsRead,
  write as fsWrite,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, fill, holdsPattern, isZero, KiB, MiB } from './backends.js';

const [read, write] = [promisify(fsRead), promisify(fsWrite)];
const collect = (globalThis as { gc?: () => void }).gc as () => void;

/** Bytes that the process has in RAM; on the core that uses V8's memory, the bytes of all ArrayBuffers. */
async function occupied(backend: 'native' | 'js'): Promise<number> {
  // What other tests left behind goes first, in as many turns as V8 takes.
  for (let i = 0; i < 5; i++) {
    collect();
    await setImmediate();
  }
  if (backend === 'js') return process.memoryUsage().arrayBuffers;
  const kilobytes = /^Rss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1];
  return Number(kilobytes) * KiB;
}

describe.each(BACKENDS)('memory on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ backend });
  });
  afterEach(() => pool.close());

  test('prewarm makes buffers ready, which the next acquires find', () => {
    pool.prewarm(64 * KiB, 100);
    const { mappedBlocks, cachedBytes, hits, outstanding } = pool.stats();
    expect(outstanding).toBe(0);
    expect(mappedBlocks).toBeGreaterThanOrEqual(100);
    expect(cachedBytes).toBeGreaterThanOrEqual(100 * 64 * KiB);
    const leases = pool.acquireMany(64 * KiB, 100);
    const after = pool.stats();
    expect([after.hits.slab, after.hits.cold]).toEqual([hits.slab, hits.cold]);
    expect(after.mappedBlocks).toBe(mappedBlocks);
    pool.releaseMany(leases);
    checkBooks(pool);
  });

  test('prewarm of nothing, of too much, and of an oversize tier', () => {
    pool.prewarm(KiB, 0);
    expect(pool.stats().residentBytes).toBe(0);
    expect(() => pool.prewarm(MiB, 257)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(() => pool.prewarm(MiB + 1, 1)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /maxPooledSize/));
    pool.assertNoLeaks();
    checkBooks(pool);
  });

  test.skipIf(backend === 'native' && process.platform !== 'linux')('trim gives 64 MiB back', async () => {
    pool.borrow(MiB, (lease) => void lease.bytes.fill(1));
    pool.trim();
    const before = await occupied(backend);
    pool.prewarm(MiB, 64);
    expect((await occupied(backend)) - before).toBeGreaterThan(56 * MiB);
    expect(pool.trim()).toBe(64 * MiB);
    expect((await occupied(backend)) - before).toBeLessThan(16 * MiB);
    const { residentBytes, cachedBytes, coldBytes, mappedBlocks } = pool.stats();
    expect([residentBytes, cachedBytes, mappedBlocks]).toEqual([0, 0, 0]);
    expect(coldBytes).toBeGreaterThanOrEqual(64 * MiB);
    checkBooks(pool);
  });

  test.skipIf(backend === 'native' && process.platform !== 'linux')(
    'A9: close gives 64 MiB back, what is leased when its lease ends',
    async () => {
      const before = await occupied(backend);
      const leases = pool.acquireMany(MiB, 64);
      for (const { bytes } of leases) bytes.fill(1);
      pool.releaseMany(leases.splice(0, 32));
      expect((await occupied(backend)) - before).toBeGreaterThan(56 * MiB);
      pool.close();
      // By the janitor.
      for (let tries = 0; tries < 500 && (await occupied(backend)) - before > 48 * MiB; tries++) await sleep(10);
      expect((await occupied(backend)) - before).toBeLessThan(48 * MiB);
      for (const lease of leases.splice(0)) lease.release();
      expect((await occupied(backend)) - before).toBeLessThan(16 * MiB);
    },
  );

  test('trim leaves what is leased alone, and blocks are usable afterwards', () => {
    const kept = pool.acquireMany(4 * KiB, 100);
    for (const [i, { bytes }] of kept.entries()) bytes.fill(i);
    pool.releaseMany(pool.acquireMany(4 * KiB, 100));
    pool.trim();
    expect(pool.stats().leasedBytes).toBe(100 * 4 * KiB);
    for (const [i, { bytes }] of kept.entries()) expect(bytes.equals(Buffer.alloc(4 * KiB, i))).toBe(true);
    const fresh = pool.acquireMany(4 * KiB, 200);
    for (const { bytes } of fresh) bytes.fill(0xff);
    for (const [i, { bytes }] of kept.entries()) expect(bytes.equals(Buffer.alloc(4 * KiB, i))).toBe(true);
    pool.releaseMany([...kept, ...fresh]);
    pool.assertNoLeaks();
    checkBooks(pool);
  });

  test('trim of small blocks, which share pages, loses none of them', () => {
    const leases = pool.acquireMany(1, 1000);
    pool.releaseMany(leases.filter((_, i) => i % 2 === 0));
    pool.trim();
    checkBooks(pool);
    expect(pool.outstanding()).toBe(500);
    pool.releaseMany(leases.filter((_, i) => i % 2 === 1));
    pool.trim();
    pool.trim();
    expect(pool.stats().residentBytes).toBe(0);
    checkBooks(pool);
  });

  test('a view kept over a trim is still valid memory', () => {
    const lease = pool.acquire(64 * KiB);
    const { bytes } = lease;
    bytes.fill(7);
    lease.release();
    pool.trim();
    expect([0, 7]).toContain(bytes[0]);
    bytes.fill(8);
    expect(bytes.equals(Buffer.alloc(64 * KiB, 8))).toBe(true);
    pool.borrow(64 * KiB, ({ bytes }) => void bytes.fill(9));
    checkBooks(pool);
  });

  describe('close', () => {
    test('every call on a closed pool throws ERR_SLABPOOL_CLOSED, but a second close and dispose are quiet', () => {
      const lease = pool.acquire(100);
      pool.close();
      pool.close();
      const closed = coded('ERR_SLABPOOL_CLOSED', /make a new BufferPool/, { pool: pool.name });
      for (const call of [
        () => pool.acquire(100),
        () => pool.acquire(0),
        () => pool.acquire(MiB),
        () => pool.acquire(2 * MiB),
        () => pool.acquireMany(100, 2),
        () => pool.borrow(100, () => 0),
        () => pool.prewarm(100, 1),
        () => pool.trim(),
        () => pool.stats(),
        () => pool.outstanding(),
        () => pool.assertNoLeaks(),
        () => lease.transfer(),
      ]) {
        expect(call, String(call)).toThrow(closed);
      }
      lease[Symbol.dispose]();
      lease[Symbol.dispose]();
    });

    test('A9: leases that are out at close keep their bytes until they are released, once', () => {
      const leases = [...pool.acquireMany(KiB, 40), ...pool.acquireMany(64 * KiB, 40), ...pool.acquireMany(2 * MiB, 2)];
      for (const [i, lease] of leases.entries()) fill(lease, i);
      const free = pool.acquire(64 * KiB);
      const kept = free.bytes;
      free.release();
      pool.close();
      expect(kept).toHaveLength(0);
      const next = new BufferPool({ backend });
      const others = next.acquireMany(KiB, 1000);
      for (const { bytes } of others) bytes.fill(0xcc);
      for (const [i, lease] of leases.entries()) expect(holdsPattern(lease, i)).toBe(true);
      const views = leases.map(({ bytes }) => bytes);
      const [first, second, third, ...rest] = leases;
      first.release();
      pool.release(second);
      pool.releaseMany([third]);
      for (const lease of rest) lease[Symbol.dispose]();
      expect(views.slice(0, 80).every(({ length }) => length === 0)).toBe(true);
      expect(() => first.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
      expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
      next.releaseMany(others);
      next.close();
    });

    test.each(['fs.write', 'fs.read'])('A9: close under %s in flight changes not one byte', async (how) => {
      const file = join(mkdtempSync(join(tmpdir(), 'slabpool-')), 'out');
      const leases = pool.acquireMany(MiB, 16);
      for (const [i, lease] of leases.entries()) fill(lease, i);
      const expected = Buffer.concat(leases.map(({ bytes }) => bytes));
      if (how === 'fs.read') {
        writeFileSync(file, expected);
        for (const { bytes } of leases) bytes.fill(0);
      }
      const fd = openSync(file, how === 'fs.read' ? 'r' : 'w');
      const calls = leases.map(({ bytes }, i) =>
        how === 'fs.read' ? read(fd, bytes, 0, MiB, i * MiB) : write(fd, bytes, 0, MiB, i * MiB),
      );
      pool.close();
      await Promise.all(calls);
      closeSync(fd);
      expect(readFileSync(file).equals(expected)).toBe(true);
      for (const [i, lease] of leases.entries()) expect(holdsPattern(lease, i)).toBe(true);
      for (const lease of leases) lease.release();
      rmSync(dirname(file), { recursive: true });
    });

    test('leases that end after close leave no trace in another pool', () => {
      const leases = pool.acquireMany(KiB, 200);
      pool.close();
      const next = new BufferPool({ backend });
      for (const lease of leases) lease[Symbol.dispose]();
      expect(next.stats().residentBytes).toBe(0);
      checkBooks(next);
      next.close();
    });

    test('writes to views that are held reach nobody', () => {
      const leases = [...pool.acquireMany(KiB, 40), ...pool.acquireMany(64 * KiB, 40), ...pool.acquireMany(MiB, 4)];
      const views = leases.map(({ bytes }) => bytes.fill(0xaa));
      leases[0].release();
      pool.close();
      const next = new BufferPool({ backend, zero: 'acquire' });
      const kept = views.filter(({ length }) => length > 0);
      expect(kept).toHaveLength(views.length - 1);
      for (const view of kept) view.fill(0xbb);
      for (const size of [KiB, 64 * KiB, MiB]) {
        const leased = next.acquireMany(size, 40);
        for (const view of kept) view.fill(0xbb);
        expect(leased.every(({ bytes }) => isZero(bytes))).toBe(true);
        next.releaseMany(leased);
      }
      next.close();
    });

    test('with a block out whose ArrayBuffer was detached', async () => {
      const lease = pool.acquire(64 * KiB);
      const taken = detach(lease.bytes.fill(1));
      pool.close();
      const theirs = await taken;
      lease.release();
      const next = new BufferPool({ backend });
      for (const { bytes } of next.acquireMany(64 * KiB, 100)) bytes.fill(2);
      expect(theirs.every((byte) => byte === 1)).toBe(true);
    });

    test('with free blocks whose ArrayBuffers were detached', () => {
      const leases = pool.acquireMany(64 * KiB, 40);
      const views = leases.map(({ bytes }) => bytes);
      pool.releaseMany(leases);
      for (const view of views) void detach(view);
      pool.close();
      expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    });
  });
});
