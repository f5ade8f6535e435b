import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, detach, isZero, KiB, MiB } from './backends.js';

const SIZES = [0, 1, 1000, 5000, 64 * KiB, MiB];

/** A view of a lease that is over, which had written to all of it. */
function filled(pool: BufferPool, size: number): Buffer {
  const views: Buffer[] = [];
  pool.borrow(size, ({ bytes }) => {
    views.push(bytes.fill(0xaa));
  });
  return views[0];
}

describe.each(BACKENDS)('zero on the %s core', (backend) => {
  test("'never' is the default and leaves what the last owner wrote", () => {
    const pool = new BufferPool({ backend });
    for (const size of SIZES) {
      filled(pool, size);
      using lease = pool.acquire(size);
      expect(lease.bytes.equals(Buffer.alloc(lease.capacity, 0xaa))).toBe(true);
    }
    pool.close();
  });

  test("'acquire' hands out zeros over the whole block, from the magazine, the depot and after a trim", () => {
    const pool = new BufferPool({ backend, zero: 'acquire' });
    for (const size of SIZES) {
      for (let round = 0; round < 3; round++) {
        const leases = pool.acquireMany(size, 70);
        expect(leases.every(({ bytes }) => isZero(bytes))).toBe(true);
        for (const { bytes } of leases) bytes.fill(0xaa);
        pool.releaseMany(leases);
        if (round === 1) pool.trim();
      }
    }
    checkBooks(pool);
    pool.close();
  });

  test("'acquire' leaves what was written until somebody else takes the block", () => {
    const pool = new BufferPool({ backend, zero: 'acquire' });
    const lease = pool.acquire(KiB);
    const { bytes } = lease;
    bytes.fill(0xaa);
    lease.release();
    expect(bytes[0]).toBe(0xaa);
    pool.borrow(KiB, () => expect(isZero(bytes)).toBe(true));
    pool.close();
  });

  test("'release' wipes at once, whichever way the lease ends", () => {
    const pool = new BufferPool({ backend, zero: 'release' });
    for (const size of SIZES) {
      const leases = pool.acquireMany(size, 6);
      expect(leases.every(({ bytes }) => isZero(bytes))).toBe(true);
      const views = leases.map(({ bytes }) => bytes.fill(0xaa));
      leases[0].release();
      pool.release(leases[1]);
      leases[2][Symbol.dispose]();
      pool.releaseMany([leases[3], leases[4]]);
      expect(views.map(isZero)).toEqual([true, true, true, true, true, false]);
      leases[5].release();
      expect(isZero(filled(pool, size))).toBe(true);
    }
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test("'release' keeps to it over more blocks than a magazine holds", () => {
    const pool = new BufferPool({ backend, zero: 'release' });
    for (let round = 0; round < 3; round++) {
      const leases = pool.acquireMany(4 * KiB, 300);
      expect(leases.every(({ bytes }) => isZero(bytes))).toBe(true);
      for (const { bytes } of leases) bytes.fill(0xaa);
      pool.releaseMany(leases);
      checkBooks(pool);
    }
    pool.close();
  });

  test("'release' wipes oversize buffers as well", () => {
    const pool = new BufferPool({ backend, zero: 'release' });
    expect(isZero(filled(pool, 2 * MiB))).toBe(true);
    pool.close();
  });

  test("'acquire' hands out oversize buffers of zeros", () => {
    const pool = new BufferPool({ backend, zero: 'acquire' });
    for (let i = 0; i < 20; i++) {
      pool.borrow(2 * MiB, ({ bytes }) => {
        expect(isZero(bytes)).toBe(true);
        bytes.fill(0xaa);
      });
    }
    pool.close();
  });

  test.each(['acquire', 'release'] as const)("'%s' survives detached blocks", async (zero) => {
    const pool = new BufferPool({ backend, zero });
    const [leased, released, oversize] = [pool.acquire(KiB), pool.acquire(KiB), pool.acquire(2 * MiB)];
    const { bytes } = released;
    released.release();
    const taken = [detach(bytes), detach(leased.bytes), detach(oversize.bytes)];
    leased.release();
    oversize.release();
    pool.borrow(KiB, (lease) => expect([lease.capacity, isZero(lease.bytes)]).toEqual([KiB, true]));
    await Promise.all(taken);
    expect(pool.stats().retiredBytes).toBe(2 * pool.stats().classes[0].blockBytes);
    checkBooks(pool);
    pool.close();
  });
});
