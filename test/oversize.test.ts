import { setImmediate } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, KiB, MiB } from './backends.js';

const collect = (globalThis as { gc?: () => void }).gc as () => void;

describe.each(BACKENDS)('oversize on the %s core', (backend) => {
  test('one byte above the largest tier is a buffer of exactly that size, outside the budget', () => {
    const pool = new BufferPool({ backend, maxBytes: MiB });
    const lease = pool.acquire(MiB + 1);
    expect([lease.size, lease.capacity, lease.buffer.byteLength, lease.bytes.byteOffset]).toEqual([
      MiB + 1,
      MiB + 1,
      MiB + 1,
      0,
    ]);
    lease.bytes.fill(1);
    expect(pool.stats()).toMatchObject({
      residentBytes: 0,
      acquires: 1,
      outstanding: 1,
      hitRate: 0,
      oversize: { leasedBytes: MiB + 1, outstanding: 1, acquires: 1, refused: 0 },
    });
    checkBooks(pool);
    lease.release();
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0, acquires: 1 });
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('is never pooled: each lease has a new buffer', () => {
    const pool = new BufferPool({ backend });
    const buffers = new Set<ArrayBuffer>();
    for (let i = 0; i < 2; i++) pool.borrow(2 * MiB, ({ buffer }) => void buffers.add(buffer));
    expect(buffers.size).toBe(2);
    pool.close();
  });

  test('is capped by the bytes out at once, and a refusal explains itself', () => {
    const pool = new BufferPool({ name: 'big', backend, maxOversizeBytes: 4 * MiB });
    const leases = pool.acquireMany(2 * MiB, 2);
    expect(() => pool.acquire(2 * MiB)).toThrow(
      coded(
        'ERR_SLABPOOL_OVERSIZE',
        /pool 'big': 2097152 bytes .*maxOversizeBytes 4194304, 4194304 are out in 2 leases/,
        {
          pool: 'big',
          details: { sizeBytes: 2 * MiB, maxOversizeBytes: 4 * MiB, leasedBytes: 4 * MiB },
        },
      ),
    );
    leases[0].release();
    expect(() => pool.acquire(2 * MiB + 1)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    leases[0] = pool.acquire(2 * MiB);
    expect(pool.stats().oversize).toMatchObject({ refused: 2, leasedBytes: 4 * MiB });
    pool.releaseMany(leases);
    expect(() => pool.acquireMany(2 * MiB, 3)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    expect(pool.stats().oversize).toMatchObject({ refused: 3, leasedBytes: 0, outstanding: 0 });
    pool.close();
  });

  test('a cap of 0 refuses all, and sizes beyond any memory are refused, not tried', () => {
    const none = new BufferPool({ backend, maxOversizeBytes: 0 });
    expect(() => none.acquire(MiB + 1)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    none.close();
    const pool = new BufferPool({ backend, maxOversizeBytes: Number.MAX_SAFE_INTEGER });
    for (const size of [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1].map((n) => n * 2 ** 20)) {
      expect(() => pool.acquire(size)).toThrow(
        coded('ERR_SLABPOOL_OUT_OF_MEMORY', /cannot allocate/, { details: { sizeBytes: size } }),
      );
    }
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0 });
    pool.assertNoLeaks();
    pool.close();
  });

  test('sizes that wrap around 2^32 are not mistaken for small ones', () => {
    const pool = new BufferPool({ backend });
    for (const size of [2 ** 32, 2 ** 32 + 1, 2 ** 32 + 4096, 2 ** 33 + 1, 2 ** 52 + 1]) {
      expect(() => pool.acquire(size)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    }
    pool.close();
  });

  test('a buffer that was detached is given up at its release like any other', async () => {
    const pool = new BufferPool({ backend, maxOversizeBytes: 4 * MiB });
    for (let i = 0; i < 5; i++) {
      const lease = pool.acquire(4 * MiB);
      const taken = detach(lease.bytes);
      lease.release();
      expect((await taken).length).toBe(4 * MiB);
    }
    expect(pool.stats()).toMatchObject({ retiredBytes: 0, oversize: { leasedBytes: 0, outstanding: 0 } });
    pool.close();
  });

  test('goes to the garbage collector on release, also while the lease object is kept', async () => {
    const pool = new BufferPool({ backend });
    const leases = pool.acquireMany(MiB + KiB, 10);
    const buffers = leases.map(({ buffer }) => new WeakRef(buffer));
    pool.releaseMany(leases);
    for (let i = 0; i < 10 && buffers.some((ref) => ref.deref() !== undefined); i++) {
      await setImmediate();
      collect();
    }
    expect(buffers.filter((ref) => ref.deref() !== undefined)).toEqual([]);
    expect(leases).toHaveLength(10);
    pool.close();
  });

  test('foreign, double and late releases are told as those of pooled leases', () => {
    const [pool, other] = [new BufferPool({ backend }), new BufferPool({ backend })];
    const lease = pool.acquire(2 * MiB);
    expect(() => other.release(lease)).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE'));
    lease.release();
    expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0 });
    const late = pool.acquire(2 * MiB);
    pool.close();
    late.release();
    expect(() => late.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    other.close();
  });

  test.each(['off', 'sampled', 'full'] as const)(
    'B2: forgotten leases that were collected give their charge back (leakDetection: %s)',
    async (leakDetection) => {
      const pool = new BufferPool({ backend, leakDetection });
      for (let i = 0; i < 31; i++) pool.acquire(2 * MiB);
      expect(() => pool.acquire(4 * MiB)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
      await until(() => pool.outstanding() === 0);
      expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0, acquires: 31 });
      pool.acquire(4 * MiB).release();
      expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0, acquires: 32 });
      pool.close();
    },
  );

  test('B2: a forgotten lease is charged as long as somebody has its memory, and lets who waits for room have it then', async () => {
    const pool = new BufferPool({ backend, maxOversizeBytes: 4 * MiB });
    let view: Buffer | undefined = pool.acquire(4 * MiB).bytes.subarray(5);
    const waits = pool.acquireAsync(2 * MiB);
    await until(() => false, 5);
    expect(pool.stats().oversize.leasedBytes).toBe(4 * MiB);
    view = undefined;
    await until(() => pool.stats().oversize.leasedBytes === 2 * MiB);
    (await waits).release();
    expect(view).toBeUndefined();
    pool.close();
  });

  test('B2: one that is held is never given up, and one that was released only once', async () => {
    const pool = new BufferPool({ backend });
    const [held, other] = pool.acquireMany(2 * MiB, 2);
    other.release();
    await until(() => false, 5);
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 2 * MiB, outstanding: 1 });
    held.release();
    await until(() => false, 5);
    expect(pool.stats().oversize).toMatchObject({ leasedBytes: 0, outstanding: 0 });
    pool.close();
  });
});

/** Collects garbage until it holds, or so many times. */
async function until(holds: () => boolean, times = 200): Promise<void> {
  for (let i = 0; i < times && !holds(); i++) {
    await setImmediate();
    collect();
  }
}
