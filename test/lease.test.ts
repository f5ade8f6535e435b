import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, fill, holdsPattern, KiB, MiB } from './backends.js';

describe.each(BACKENDS)('leases on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'leases', backend });
  });
  afterEach(() => {
    checkBooks(pool);
    pool.close();
  });

  test('the pool runs on the core that was asked for, and says so', () => {
    expect(pool.backend.kind).toBe(backend);
    expect(pool.backend.reason).not.toBe('');
    expect(pool.stats().backend).toBe(backend);
  });

  test.each([0, 1, 63, 1023, 1024, 1025, 4000, 65_536, 65_537, MiB - 1, MiB])('a lease of %i bytes', (size) => {
    const lease = pool.acquire(size);
    expect(lease.size).toBe(size);
    expect(lease.capacity).toBe(pool.tiers.find((tier) => tier >= size));
    expect(lease.buffer).toBeInstanceOf(ArrayBuffer);
    expect(lease.buffer.byteLength).toBe(lease.capacity);
    expect(Buffer.isBuffer(lease.bytes)).toBe(true);
    expect(lease.bytes.buffer).toBe(lease.buffer);
    expect(lease.bytes.byteOffset).toBe(0);
    expect(lease.bytes.length).toBe(lease.capacity);
    const view = lease.view();
    expect(Buffer.isBuffer(view)).toBe(true);
    expect([view.buffer, view.byteOffset, view.length]).toEqual([lease.buffer, 0, size]);
    lease.release();
    pool.assertNoLeaks();
  });

  test('a size of minus zero is a size of zero', () => {
    using lease = pool.acquire(-0);
    expect(lease.size).toBe(0);
  });

  test('first and last byte of the block can be written', () => {
    using lease = pool.acquire(MiB);
    lease.bytes[0] = 1;
    lease.bytes[MiB - 1] = 2;
    expect([lease.bytes[0], lease.bytes[MiB - 1]]).toEqual([1, 2]);
  });

  test('the block that was released last is leased first, with the same Buffer', () => {
    const first = pool.acquire(4000);
    const { bytes, buffer } = first;
    first.release();
    const second = pool.acquire(4096);
    expect(second).not.toBe(first);
    expect(second.bytes).toBe(bytes);
    expect(second.buffer).toBe(buffer);
    second.release();
  });

  test('leases that are out at once have buffers of their own', () => {
    const leases = Array.from({ length: 500 }, () => pool.acquire(2048));
    expect(new Set(leases.map((lease) => lease.buffer)).size).toBe(500);
    for (const lease of leases) pool.release(lease);
    pool.assertNoLeaks();
  });

  test('`using` releases at the end of the block, also when it throws', () => {
    expect(() => {
      using lease = pool.acquire(100);
      expect(pool.outstanding()).toBe(1);
      expect(lease.size).toBe(100);
      throw new Error('from the block');
    }).toThrow('from the block');
    expect(pool.outstanding()).toBe(0);
  });

  test('`using` after an early release is quiet, and so is a second dispose', () => {
    const lease = pool.acquire(100);
    lease.release();
    lease[Symbol.dispose]();
    lease[Symbol.dispose]();
    expect(pool.outstanding()).toBe(0);
    using other = pool.acquire(100);
    lease[Symbol.dispose]();
    expect(other.bytes.length).toBe(KiB);
    expect(pool.outstanding()).toBe(1);
  });

  test('acquireMany and releaseMany', () => {
    const leases = pool.acquireMany(10_000, 300);
    expect(leases).toHaveLength(300);
    expect(new Set(leases.map((lease) => lease.buffer)).size).toBe(300);
    expect(pool.outstanding()).toBe(300);
    pool.releaseMany(leases);
    expect(pool.outstanding()).toBe(0);
    expect(pool.acquireMany(100, 0)).toEqual([]);
    pool.releaseMany([]);
  });

  test('releaseMany takes any iterable', () => {
    pool.releaseMany(new Set(pool.acquireMany(100, 10)));
    const leases = pool.acquireMany(100, 10);
    pool.releaseMany(
      (function* () {
        yield* leases;
      })(),
    );
    pool.assertNoLeaks();
  });

  test('assertNoLeaks says what is out', () => {
    pool.assertNoLeaks();
    const leases = [...pool.acquireMany(1000, 2), pool.acquire(5000), pool.acquire(2 * MiB)];
    expect(() => pool.assertNoLeaks()).toThrow(
      coded('ERR_SLABPOOL_LEAK', /pool 'leases': .* 4 are out: 2 of 1024 bytes, 1 of 5120 bytes, 1 oversize/, {
        pool: 'leases',
        details: { outstanding: 4, tickets: 0 },
      }),
    );
    pool.releaseMany(leases);
    pool.assertNoLeaks();
  });

  test('patterns of live leases are never mixed, in any order of release', () => {
    const sizes = [1, 1000, 1500, 4096, 5000, 16_000, 65_536, 100_000];
    const live: { lease: ReturnType<BufferPool['acquire']>; pattern: number }[] = [];
    let random = 42;
    const below = (n: number) => {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((random / 2 ** 32) * n);
    };
    let mixed = 0;
    for (let pattern = 0; pattern < 6000; pattern++) {
      if (live.length >= 400) {
        const at = below(live.length);
        const [victim] = live.splice(at, 1);
        if (!holdsPattern(victim.lease, victim.pattern)) mixed++;
        victim.lease.release();
      }
      const lease = pool.acquire(sizes[below(sizes.length)]);
      fill(lease, Math.imul(pattern, 0x9e37_79b1));
      live.push({ lease, pattern: Math.imul(pattern, 0x9e37_79b1) });
      if (pattern % 1000 === 999) pool.trim();
    }
    for (const { lease, pattern } of live) {
      if (!holdsPattern(lease, pattern)) mixed++;
      lease.release();
    }
    expect(mixed).toBe(0);
    pool.assertNoLeaks();
  });
});
