import { BufferPool, Channel } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, detach, fill, holdsPattern, KiB, MiB } from './backends.js';

describe.each(BACKENDS)("debug: 'detach' on the %s core", (backend) => {
  describe.each(['off', 'full'] as const)('with leakDetection: %s', (leakDetection) => {
    let pool: BufferPool;
    beforeEach(() => {
      pool = new BufferPool({ backend, leakDetection, debug: 'detach', maxPooledSize: 64 * KiB, maxBytes: MiB });
    });
    afterEach(() => {
      pool.assertNoLeaks();
      checkBooks(pool);
      pool.close();
    });

    test('views that were kept have a length of 0, whichever way the lease ends', () => {
      for (const size of [1, 5000, 64 * KiB, 100 * KiB]) {
        const leases = pool.acquireMany(size, 5);
        const views = leases.flatMap((lease) => [lease.bytes, lease.view(), new Uint8Array(lease.buffer)]);
        leases[0].release();
        pool.release(leases[1]);
        leases[2][Symbol.dispose]();
        pool.releaseMany(leases.slice(3));
        pool.borrow(size, ({ bytes }) => {
          views.push(bytes);
        });
        expect(views.map(({ length }) => length)).toEqual(views.map(() => 0));
      }
    });

    test('blocks are used again under new ArrayBuffers, without being lost', () => {
      const buffers = new Set<ArrayBuffer>();
      for (let round = 0; round < 10; round++) {
        // The whole budget.
        const leases = pool.acquireMany(64 * KiB, 16);
        for (const [i, lease] of leases.entries()) {
          fill(lease, i);
          buffers.add(lease.buffer);
        }
        expect(leases.every((lease, i) => holdsPattern(lease, i))).toBe(true);
        pool.releaseMany(leases);
        if (round === 5) pool.trim();
      }
      expect(buffers.size).toBe(160);
      expect(pool.stats()).toMatchObject({ retiredBytes: 0, outstanding: 0 });
    });

    test('zero on release and on acquire hold as well', () => {
      for (const zero of ['acquire', 'release'] as const) {
        const zeroing = new BufferPool({ backend, zero, debug: 'detach', tiers: [4 * KiB], maxBytes: 4 * KiB });
        for (let i = 0; i < 3; i++) {
          zeroing.borrow(1, ({ bytes }) => {
            expect(bytes.equals(Buffer.alloc(4 * KiB))).toBe(true);
            bytes.fill(1);
          });
        }
        zeroing.close();
      }
    });

    test('a block that its holder detached is retired', async () => {
      const lease = pool.acquire(5000);
      const taken = detach(lease.bytes);
      lease.release();
      expect(pool.stats().drops.retired + pool.stats().retiredBytes).toBeGreaterThan(0);
      await taken;
    });

    test('handing over detaches as well, and the next owner sees the bytes', () => {
      const lease = pool.acquire(5000);
      fill(lease, 0x0102_0304);
      const kept = lease.bytes;
      const adopted = pool.adopt(lease.transfer());
      expect(kept).toHaveLength(0);
      expect(holdsPattern(adopted, 0x0102_0304)).toBe(true);
      adopted.release();
    });

    test.runIf(backend === 'native')('and so does a channel', () => {
      const channel = new Channel(pool);
      const other = BufferPool.attach(pool.handle);
      const receiver = Channel.attach(other, channel.handle);
      const leases = pool.acquireMany(5000, 4);
      for (const lease of leases) fill(lease, 7);
      const views = leases.map(({ bytes }) => bytes);
      channel.trySend(leases[0]);
      channel.trySendMany(leases.slice(1));
      expect(views.map(({ length }) => length)).toEqual([0, 0, 0, 0]);
      const received = receiver.tryReceiveMany();
      expect(received.every((lease) => holdsPattern(lease, 7))).toBe(true);
      other.releaseMany(received);
      other.close();
    });
  });
});
