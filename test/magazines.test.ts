// How much a thread's magazines keep, and for how long.
import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Magazine } from '../dist/lease/magazine.js';
import { BACKENDS, checkBooks, detach, heapOf, KiB, MiB } from './backends.js';

const BLOCK = 4 * KiB;
const BURST = 1000;

describe.each(BACKENDS)('magazines on the %s core', (backend) => {
  let pool: BufferPool;
  let magazine: Magazine;
  let refill: ReturnType<typeof vi.spyOn>;
  let flush: ReturnType<typeof vi.spyOn>;

  function open(options: object = {}) {
    pool = new BufferPool({ backend, epochMs: 0, tiers: [BLOCK, 64 * KiB], maxBytes: 64 * MiB, ...options });
    const heap = heapOf(pool);
    magazine = heap.magazineFor(BLOCK - 1);
    refill = vi.spyOn(heap.core, 'refill');
    flush = vi.spyOn(heap.core, 'flush');
  }
  beforeEach(() => open());
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
    vi.restoreAllMocks();
  });

  /** Acquires and releases so many at once: the calls into the core that it took. */
  function burst(count = BURST, size = BLOCK): number {
    const before = refill.mock.calls.length + flush.mock.calls.length;
    const leases: Lease[] = pool.acquireMany(size, count);
    pool.releaseMany(leases);
    return refill.mock.calls.length + flush.mock.calls.length - before;
  }
  const epoch = () => heapOf(pool).flushQuiet(false);

  test('grow batch by batch while what was flushed is refilled, until a burst needs the core no more', () => {
    const { batch } = magazine;
    const first = burst();
    expect(first).toBeGreaterThanOrEqual(2 * (BURST / batch - 2));
    // Refilled as often as before, which tells what was flushed too soon.
    expect(burst()).toBeLessThan(first);
    for (let i = 0; i < 10; i++) expect(burst()).toBe(0);
    expect(magazine.size).toBeGreaterThanOrEqual(BURST);
    expect(magazine.size).toBeLessThan(BURST + 3 * batch);
    checkBooks(pool);
  });

  test('have room for an eighth of the budget beyond two batches each, all of a thread together', () => {
    for (let i = 0; i < 5; i++) {
      burst(5000);
      burst(300, 64 * KiB);
    }
    const { magazines } = heapOf(pool);
    const extra = magazines.reduce((sum, { size, batch, capacity }) => sum + (size - 2 * batch) * capacity, 0);
    expect(extra).toBeLessThanOrEqual((64 * MiB) / 8);
    expect(extra).toBeGreaterThan((64 * MiB) / 8 - 256 * KiB);
    for (const { count, size } of magazines) expect(count).toBeLessThanOrEqual(size);
    expect(pool.stats().magazineBytes).toBeLessThanOrEqual(extra + 2 * magazines.length * 256 * KiB);
  });

  test('of a burst that is too large for them: the core has the rest, and is asked for no more than that', () => {
    for (let i = 0; i < 3; i++) burst(5000);
    const beyond = Math.ceil((5000 - magazine.size) / magazine.batch);
    expect(burst(5000)).toBeLessThanOrEqual(2 * (beyond + 1));
  });

  test('what lay below the low-water mark throughout an epoch goes to the core, and the room for it with it', () => {
    for (let i = 0; i < 3; i++) burst();
    epoch();
    const held = magazine.count;
    burst(200);
    burst(100);
    epoch();
    // The mark is known to a batch.
    expect(held - magazine.count).toBeGreaterThan(held - 200 - magazine.batch);
    expect(magazine.count).toBeGreaterThanOrEqual(200);
    expect(magazine.size).toBeLessThan(magazine.count + 3 * magazine.batch);
    checkBooks(pool);
    expect(burst(200)).toBe(0);
  });

  test('nothing is stranded two epochs after the last acquire, and nothing after trim()', () => {
    for (let i = 0; i < 3; i++) burst();
    epoch();
    epoch();
    expect([magazine.count, magazine.size, pool.stats().magazineBytes]).toEqual([0, 2 * magazine.batch, 0]);
    for (let i = 0; i < 3; i++) burst();
    pool.trim();
    expect(pool.stats()).toMatchObject({ magazineBytes: 0, cachedBytes: 0 });
  });

  test('of a lease that lives long: it is no reason to keep what is not used', () => {
    const lease = pool.acquire(BLOCK);
    for (let i = 0; i < 3; i++) burst();
    for (let i = 0; i < 3; i++) {
      burst(1);
      epoch();
    }
    expect(magazine.count).toBeLessThanOrEqual(2 * magazine.batch);
    lease.release();
  });

  test('where memory is critically short, nothing stays, and none grows before the next epoch', () => {
    for (let i = 0; i < 3; i++) burst();
    heapOf(pool).flushQuiet(true);
    expect([magazine.count, magazine.size]).toEqual([0, 2 * magazine.batch]);
    for (let i = 0; i < 3; i++) burst();
    expect(magazine.size).toBe(2 * magazine.batch);
    epoch();
    for (let i = 0; i < 3; i++) burst();
    expect(magazine.size).toBeGreaterThan(BURST);
  });

  test('a thread that only releases keeps one batch at most, also if it was one that acquires', () => {
    const leases = pool.acquireMany(BLOCK, BURST);
    epoch();
    pool.releaseMany(leases);
    expect(magazine.count).toBeLessThanOrEqual(magazine.batch);
    expect(magazine.size).toBe(magazine.batch);
  });

  test('whose block was detached after its release, through a view that was kept: another is leased', () => {
    const leases = pool.acquireMany(BLOCK, 3 * magazine.batch);
    const views = leases.map(({ bytes }) => bytes);
    pool.releaseMany(leases);
    for (const view of views) void detach(view);
    const again = pool.acquireMany(BLOCK, 3 * magazine.batch);
    for (const { bytes } of again) expect(bytes.length).toBe(BLOCK);
    pool.releaseMany(again);
  });
});

test('threads share what magazines may grow to, and who has more than that gives it back at the next epoch', () => {
  const pool = new BufferPool({ epochMs: 0, tiers: [BLOCK], maxBytes: 64 * MiB });
  const burst = (of: BufferPool) => {
    for (let i = 0; i < 3; i++) of.releaseMany(of.acquireMany(BLOCK, 3000));
  };
  const [magazine] = heapOf(pool).magazines as [Magazine];
  burst(pool);
  const alone = magazine.extraBytes;
  expect(alone).toBeGreaterThan((64 * MiB) / 16);
  const other = BufferPool.attach(structuredClone(pool.handle));
  heapOf(pool).flushQuiet(false);
  expect([magazine.extraBytes, magazine.count <= magazine.size]).toEqual([0, true]);
  burst(pool);
  burst(other);
  for (const each of [pool, other]) {
    const [{ extraBytes }] = heapOf(each).magazines as [Magazine];
    expect(extraBytes).toBeLessThanOrEqual((64 * MiB) / 16);
    expect(extraBytes).toBeGreaterThan((64 * MiB) / 16 - 256 * KiB);
  }
  other.close();
  checkBooks(pool);
  pool.close();
});
