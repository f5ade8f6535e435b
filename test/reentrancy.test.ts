import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB } from './backends.js';

describe.each(BACKENDS)('calls into the pool from within its calls, on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ backend });
  });
  afterEach(() => pool.close());

  const intact = (leases: readonly Lease[]) => {
    expect(leases.map(({ capacity }) => capacity)).toEqual(leases.map(() => KiB));
    expect(new Set(leases.map(({ buffer }) => buffer)).size).toBe(leases.length);
    expect(pool.outstanding()).toBe(leases.length);
    checkBooks(pool);
  };

  test('a size whose valueOf would call the pool is not asked for its value', () => {
    let asked = 0;
    const size = {
      valueOf() {
        asked++;
        pool.close();
        return 100;
      },
    };
    for (const call of [() => pool.acquire(size as never), () => pool.acquireMany(size as never, 1)]) {
      expect(call).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    }
    expect(() => pool.acquireMany(100, size as never)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    expect(asked).toBe(0);
    intact([]);
  });

  test('borrow: the function closes the pool', () => {
    expect(pool.borrow(100, () => pool.close())).toBeUndefined();
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('borrow: the pool is closed while a promise is pending', async () => {
    const pending = pool.borrow(100, async () => 'done');
    pool.close();
    await expect(pending).resolves.toBe('done');
  });

  test('borrow: the function trims, prewarms and fills the budget', () => {
    pool.borrow(100, (lease) => {
      lease.bytes.fill(5);
      pool.trim();
      pool.prewarm(100, 200);
      expect(() => pool.acquireMany(2 ** 20, 300)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
      expect(lease.bytes.equals(Buffer.alloc(KiB, 5))).toBe(true);
    });
    intact([]);
  });

  test('releaseMany: the iterable throws midway', () => {
    const leases = pool.acquireMany(100, 4);
    expect(() =>
      pool.releaseMany(
        (function* () {
          yield leases[0];
          yield leases[1];
          throw new Error('from the iterable');
        })(),
      ),
    ).toThrow('from the iterable');
    intact(leases);
    pool.releaseMany(leases);
    intact([]);
  });

  test('releaseMany: Symbol.iterator or next() throws', () => {
    const leases = pool.acquireMany(100, 2);
    const broken = {
      [Symbol.iterator]() {
        throw new Error('no iterator');
      },
    };
    expect(() => pool.releaseMany(broken)).toThrow('no iterator');
    expect(() => pool.releaseMany({ [Symbol.iterator]: () => ({}) as Iterator<Lease> })).toThrow(TypeError);
    intact(leases);
  });

  test('releaseMany: the iterable releases a lease that it has yielded', () => {
    const leases = pool.acquireMany(100, 3);
    expect(() =>
      pool.releaseMany(
        (function* () {
          yield leases[0];
          leases[0].release();
          yield leases[1];
        })(),
      ),
    ).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    intact(leases);
  });

  test('releaseMany: the iterable releases a lease just before it yields it', () => {
    const leases = pool.acquireMany(100, 3);
    expect(() =>
      pool.releaseMany(
        (function* () {
          yield leases[0];
          leases[1].release();
          yield leases[1];
        })(),
      ),
    ).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    intact([leases[0], leases[2]]);
  });

  test('releaseMany: the iterable acquires, releases many of its own, and trims', () => {
    const leases = pool.acquireMany(100, 100);
    const acquired: Lease[] = [];
    pool.releaseMany(
      (function* () {
        for (const lease of leases) {
          yield lease;
          acquired.push(pool.acquire(100));
          pool.releaseMany(pool.acquireMany(100, 70));
          pool.trim();
        }
      })(),
    );
    intact(acquired);
  });

  test.each(['and goes on', 'and throws'])('releaseMany: the iterable closes the pool %s', (how) => {
    const leases = pool.acquireMany(100, 3);
    const call = () =>
      pool.releaseMany(
        (function* () {
          yield leases[0];
          pool.close();
          if (how === 'and throws') throw new Error('from the iterable');
          yield leases[1];
        })(),
      );
    if (how === 'and throws') expect(call).toThrow('from the iterable');
    else call();
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    for (const lease of leases) lease[Symbol.dispose]();
  });

  test('releaseMany of nothing that closes the pool on its way', () => {
    pool.releaseMany({
      [Symbol.iterator]() {
        pool.close();
        return [].values();
      },
    });
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });
});
