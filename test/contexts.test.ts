import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { BufferPool, Channel, type Lease, type PoolHandle, type ReceivedLease } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { BACKENDS, coded, KiB } from './backends.js';

const BLOCK = 64 * KiB;

describe.each(BACKENDS)(
  'C: the store of an AsyncLocalStorage is not kept alive by a pool on the %s core',
  (backend) => {
    const storage = new AsyncLocalStorage<object>();
    const make = () =>
      new BufferPool({
        backend,
        maxBytes: 2 * BLOCK,
        debug: 'detach',
        leakDetection: 'full',
        maxOversizeBytes: 2 ** 21,
      });

    /** Whether a store that nobody has but what `deed` has begun is collected. */
    async function isLetGo(deed: () => unknown): Promise<boolean> {
      const store = (() => {
        const own = {};
        storage.run(own, deed);
        return new WeakRef(own);
      })();
      // The turn ends in which leases are tracked.
      for (let tries = 0; tries < 20 && store.deref() !== undefined; tries++) {
        await setTimeout(1);
        gc?.();
      }
      return store.deref() === undefined;
    }

    test('that was made in its context', async () => {
      let pool: BufferPool | undefined;
      expect(
        await isLetGo(() => {
          pool = make();
        }),
      ).toBe(true);
      pool?.acquire(BLOCK).release();
      pool?.close();
    });

    test('that woke there', async () => {
      const pool = make();
      expect(await isLetGo(() => pool.acquire(BLOCK).release())).toBe(true);
      pool.close();
    });

    test('that served somebody there, by a release elsewhere', async () => {
      const pool = make();
      const held = pool.acquireMany(BLOCK, 2);
      let asked: Promise<Lease> | undefined;
      const letGo = isLetGo(() => {
        asked = pool.acquireAsync(BLOCK);
      });
      held.pop()?.release();
      (await asked)?.release();
      asked = undefined;
      expect(await letGo).toBe(true);
      pool.releaseMany(held);
      pool.close();
    });

    test('that was attached to, trimmed and closed there', async () => {
      const pool = make();
      let other: BufferPool | undefined;
      expect(
        await isLetGo(() => {
          pool.borrow(BLOCK, () => {});
          pool.trim();
          if (backend === 'native') other = BufferPool.attach(pool.handle);
          pool.close();
        }),
      ).toBe(true);
      other?.close();
    });

    test.runIf(backend === 'native')('that had a channel made, and waited at, there', async () => {
      const pool = make();
      const channels: Channel[] = [];
      let received: Promise<ReceivedLease | null> | undefined;
      const letGo = isLetGo(() => {
        channels.push(new Channel(pool));
        channels.push(Channel.attach(pool, channels[0].handle));
        received = channels[0].receive();
      });
      channels[1].trySend(pool.acquire(BLOCK));
      (await received)?.release();
      received = undefined;
      expect(await letGo).toBe(true);
      pool.close();
    });

    test('while who waits is in his own context when he is served', async () => {
      const pool = make();
      const held = pool.acquireMany(BLOCK, 2);
      const own = {};
      const seen = storage.run(own, async () => {
        (await pool.acquireAsync(BLOCK)).release();
        return storage.getStore();
      });
      storage.run({}, () => pool.releaseMany(held));
      expect(await seen).toBe(own);
      pool.close();
    });
  },
);

describe.each(BACKENDS)('C: what is of another realm is as good, on the %s core', (backend) => {
  const foreign = <T>(code: string, context: object = {}): T => runInNewContext(`(${code})`, context);

  test('options, tiers, and options of methods', async () => {
    const options = foreign<object>(`{ backend: '${backend}', maxBytes: ${BLOCK}, tiers: [4096, ${BLOCK}] }`);
    const pool = new BufferPool(options);
    expect(pool.tiers).toEqual([4096, BLOCK]);
    const lease = await pool.acquireAsync(BLOCK, foreign('{ timeout: 5 }'));
    await expect(pool.acquireAsync(1, foreign('{ timeout: 5 }'))).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    await expect(pool.acquireAsync(1, foreign('{ timeoutMs: 5 }'))).rejects.toEqual(coded('ERR_SLABPOOL_INVALID_ARG'));
    expect(pool.trackedLeases(foreign('{ olderThanMs: 1e9 }'))).toEqual([]);
    lease.release();
    pool.close();
  });

  test('iterables, functions, thenables and views', async () => {
    const pool = new BufferPool({ backend });
    const leases = pool.acquireMany(BLOCK, 3);
    pool.releaseMany(foreign<Iterable<Lease>>('new Set(leases)', { leases }));
    expect(pool.outstanding()).toBe(0);
    expect(await pool.borrow(BLOCK, foreign<(lease: Lease) => Promise<number>>('async ({ size }) => size'))).toBe(
      BLOCK,
    );
    expect(() => pool.borrow(BLOCK, foreign('({ buffer }) => new Uint8Array(buffer, 5)'))).toThrow(
      coded('ERR_SLABPOOL_BORROWED'),
    );
    pool.assertNoLeaks();
    pool.close();
  });

  test.runIf(backend === 'native')('handles', () => {
    const pool = new BufferPool({ backend });
    const other = BufferPool.attach(foreign<PoolHandle>('JSON.parse(text)', { text: JSON.stringify(pool.handle) }));
    other.adopt(pool.acquire(BLOCK).transfer()).release();
    const channel = new Channel(pool);
    const sleepers = foreign<SharedArrayBuffer>(`new SharedArrayBuffer(${channel.handle.sleepers.byteLength})`);
    expect(sleepers).not.toBeInstanceOf(SharedArrayBuffer);
    const end = Channel.attach(other, { ...channel.handle, sleepers });
    channel.trySend(pool.acquire(BLOCK));
    end.tryReceive()?.release();
    other.close();
    pool.close();
  });
});
