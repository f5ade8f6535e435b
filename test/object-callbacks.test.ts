import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { ObjectPool } from 'slabpool/object';
import { afterEach, describe, expect, test } from 'vitest';
import { coded } from './backends.js';
import { checkBooks, Thing, thingPool } from './objects.js';

const DETECTION = ['off', 'full'] as const;
const error = new Error('of the program');
const fail = () => {
  throw error;
};

describe.each(DETECTION)("callbacks that throw, leakDetection: '%s':", (leakDetection) => {
  test('create: acquire() and prewarm() throw it, and nothing was acquired', () => {
    let works = true;
    const { pool } = thingPool({ leakDetection, create: () => (works ? new Thing(0) : fail()) });
    const lease = pool.acquire();
    works = false;
    expect(() => pool.acquire()).toThrow(error);
    expect(() => pool.borrow(() => {})).toThrow(error);
    lease.release();
    expect(() => pool.prewarm(5)).toThrow(error);
    expect(pool.stats()).toMatchObject({ acquires: 1, created: 1, idle: 1, failures: { create: 3 } });
    works = true;
    pool.prewarm(5);
    checkBooks(pool);
    pool.close();
  });

  test.each([undefined, null, 7, 'text', Promise.resolve({})])('create that returns %s is refused', (value) => {
    const pool = new ObjectPool({ create: () => value as object, name: 'odd', leakDetection });
    const refused = coded(
      'ERR_SLABPOOL_INVALID_ARG',
      /^pool 'odd': option 'create', what it returned: expected an object, got/,
    );
    expect(() => pool.acquire()).toThrow(refused);
    expect(() => pool.prewarm(1)).toThrow(refused);
    expect(pool.stats()).toMatchObject({ acquires: 0, created: 0, outstanding: 0, failures: { create: 2 } });
    pool.close();
  });

  test('reset on acquire: the object is destroyed, acquire() throws it, and the next acquire has another', () => {
    const { pool, made } = thingPool({ leakDetection, reset: ({ number }) => (number === 0 ? fail() : undefined) });
    pool.acquire().release();
    expect(() => pool.acquire()).toThrow(error);
    expect(made).toMatchObject([{ destroyed: 1 }]);
    expect(pool.stats()).toMatchObject({ acquires: 1, drops: { failed: 1 }, failures: { reset: 1 }, outstanding: 0 });
    expect(pool.acquire().value).toBe(made[1]);
    checkBooks(pool);
    pool.close();
  });

  test.each(['reset', 'keep'] as const)('%s on release: the lease has ended, and release() throws it', (callback) => {
    const { pool, made } = thingPool({ leakDetection, resetOn: 'release', [callback]: fail });
    const ends = [
      (lease: ReturnType<typeof pool.acquire>) => lease.release(),
      (lease: ReturnType<typeof pool.acquire>) => pool.release(lease),
      (lease: ReturnType<typeof pool.acquire>) => lease[Symbol.dispose](),
    ];
    for (const [i, end] of ends.entries()) {
      const lease = pool.acquire();
      expect(() => end(lease)).toThrow(error);
      expect(lease.released).toBe(true);
      expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
      expect(made[i]?.destroyed).toBe(1);
    }
    expect(pool.stats()).toMatchObject({ outstanding: 0, idle: 0, drops: { failed: 3 }, failures: { [callback]: 3 } });
    checkBooks(pool);
    pool.close();
  });

  test('an async reset is refused, on acquire as on release, whatever becomes of its promise', async () => {
    for (const resetOn of ['acquire', 'release'] as const) {
      const reset = (async () => fail()) as unknown as (thing: Thing) => void;
      const { pool, made } = thingPool({ leakDetection, resetOn, reset });
      expect(() => {
        pool.acquire().release();
        pool.acquire();
      }).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /option 'reset', what it returned: expected nothing/));
      expect(made[0]?.destroyed).toBe(1);
      expect(pool.outstanding()).toBe(0);
      checkBooks(pool);
      pool.close();
    }
    await new Promise(setImmediate);
  });

  test.each([undefined, 1, Promise.resolve(true)])('keep that returns %s is refused', (kept) => {
    const { pool } = thingPool({ leakDetection, keep: () => kept as unknown as boolean });
    const lease = pool.acquire();
    expect(() => lease.release()).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /option 'keep', what it returned: expected true or false, got/),
    );
    expect(pool.stats()).toMatchObject({ outstanding: 0, drops: { failed: 1 } });
    checkBooks(pool);
    pool.close();
  });
});

describe('destroy that throws', () => {
  const heard: { pool: string; error: unknown }[] = [];
  const listen = (event: unknown) => void heard.push(event as (typeof heard)[number]);
  afterEach(() => {
    unsubscribe('slabpool:destroy-failed', listen);
    heard.length = 0;
  });

  const failing = () =>
    thingPool({
      maxIdle: 5,
      destroy: (thing) => {
        thing.destroyed++;
        fail();
      },
    });

  test('breaks nothing for the others, and is published', () => {
    subscribe('slabpool:destroy-failed', listen);
    const { pool, made, turn } = failing();
    pool.prewarm(5);
    expect(pool.trim()).toBe(5);
    pool.prewarm(5);
    turn();
    turn();
    turn();
    expect(pool.stats().drops).toMatchObject({ trimmed: 5, decayed: 5 });
    const leases = Array.from({ length: 6 }, () => pool.acquire());
    for (const lease of leases) lease.release();
    checkBooks(pool);
    expect(pool.stats().failures.destroy).toBe(11);
    pool.close();
    expect(made.map(({ destroyed }) => destroyed)).toEqual(Array(16).fill(1));
    expect(heard).toEqual(Array(16).fill({ pool: 'things', error }));
  });

  test('a promise of it that rejects is published as well', async () => {
    subscribe('slabpool:destroy-failed', listen);
    const { pool } = thingPool({ destroy: () => Promise.reject(error) as never });
    pool.prewarm(2);
    pool.close();
    await new Promise(setImmediate);
    expect(heard).toEqual(Array(2).fill({ pool: 'things', error }));
  });

  test('is a warning where nobody listens, once a pool', async () => {
    const warnings: (Error & { code?: string })[] = [];
    const warn = (warning: Error) => void warnings.push(warning);
    process.on('warning', warn);
    const { pool } = failing();
    pool.prewarm(5);
    pool.trim();
    pool.prewarm(5);
    pool.close();
    await new Promise(setImmediate);
    process.off('warning', warn);
    const ours = warnings.filter(({ code }) => code === 'SLABPOOL_DESTROY_FAILED');
    expect(ours).toHaveLength(1);
    expect(ours[0]?.message).toMatch(/^pool 'things': destroy threw: Error: of the program\n/);
  });
});

describe.each(DETECTION)("callbacks that use the pool, leakDetection: '%s':", (leakDetection) => {
  test('create that acquires, releases and trims', () => {
    let depth = 0;
    const { pool, made } = thingPool({
      leakDetection,
      create: () => {
        if (depth < 3) {
          depth++;
          const lease = pool.acquire();
          pool.acquire().release();
          lease.release();
          pool.trim();
          depth--;
        }
        const thing = new Thing(made.length);
        made.push(thing);
        return thing;
      },
    });
    const lease = pool.acquire();
    expect(lease.value).toBe(made.at(-1));
    expect(pool.outstanding()).toBe(1);
    pool.prewarm(3);
    checkBooks(pool);
    pool.close();
  });

  test('reset that acquires gets another object, on acquire as on release', () => {
    for (const resetOn of ['acquire', 'release'] as const) {
      const inner = new Set<Thing>();
      let busy = false;
      const { pool } = thingPool({
        leakDetection,
        resetOn,
        reset: (thing) => {
          if (busy) return;
          busy = true;
          const lease = pool.acquire();
          expect(lease.value).not.toBe(thing);
          inner.add(lease.value);
          lease.release();
          busy = false;
        },
      });
      pool.prewarm(2);
      for (let i = 0; i < 5; i++) pool.acquire().release();
      expect(inner.size).toBeGreaterThan(0);
      expect(pool.outstanding()).toBe(0);
      checkBooks(pool);
      pool.close();
    }
  });

  test('keep that fills the pool: what does not fit is dropped', () => {
    const { pool, made } = thingPool({
      leakDetection,
      maxIdle: 2,
      keep: () => {
        if (pool.stats().idle < 2) pool.prewarm(2);
        return true;
      },
    });
    pool.acquire().release();
    expect(made[0]?.destroyed).toBe(1);
    expect(pool.stats()).toMatchObject({ idle: 2, outstanding: 0, drops: { full: 1 } });
    checkBooks(pool);
    pool.close();
  });

  test('keep that releases the lease it was called for: it has ended', () => {
    const { pool } = thingPool({
      leakDetection,
      keep: () => {
        expect(lease.released).toBe(true);
        expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
        return true;
      },
    });
    const lease = pool.acquire();
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, outstanding: 0 });
    pool.close();
  });

  test('destroy that releases leases into the pool, in trim() and in an epoch', () => {
    let out: { release(): void }[] = [];
    const { pool, turn } = thingPool({ leakDetection, destroy: () => out.pop()?.release() });
    for (const drop of [
      () => expect(pool.trim()).toBe(3),
      () => {
        turn();
        turn();
        turn();
      },
    ]) {
      out = [pool.acquire(), pool.acquire(), pool.acquire()];
      pool.prewarm(3);
      drop();
      expect(out).toEqual([]);
      checkBooks(pool);
      expect(pool.outstanding()).toBe(0);
      pool.trim();
    }
    pool.close();
  });

  const closers = {
    create: { create: true },
    'reset on acquire': { reset: true },
    'reset on release': { reset: true, resetOn: 'release' },
    keep: { keep: true },
    destroy: { destroy: true },
  };
  test.each(Object.entries(closers))('%s closes the pool: each object is destroyed once', (_, which) => {
    let armed = false;
    const close = (callback: string) => {
      if (armed && callback in which) pool.close();
    };
    const made: Thing[] = [];
    const pool = new ObjectPool<Thing>({
      leakDetection,
      resetOn: 'resetOn' in which ? 'release' : 'acquire',
      create: () => {
        close('create');
        const thing = new Thing(made.length);
        made.push(thing);
        return thing;
      },
      reset: () => close('reset'),
      keep: () => {
        close('keep');
        return true;
      },
      destroy: (thing) => {
        thing.destroyed++;
        close('destroy');
      },
    });
    pool.prewarm(4);
    const out = [pool.acquire(), pool.acquire()];
    armed = true;
    const attempt = (fn: () => void) => {
      try {
        fn();
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'ERR_SLABPOOL_CLOSED' });
      }
    };
    attempt(() => out.push(pool.acquire()));
    attempt(() => out[0]?.release());
    attempt(() => pool.prewarm(10));
    attempt(() => pool.trim());
    pool.close();
    for (const lease of out) lease[Symbol.dispose]();
    expect(made.map(({ destroyed }) => destroyed)).toEqual(made.map(() => 1));
    expect(() => pool.acquire()).toThrow(coded('ERR_SLABPOOL_CLOSED', /make a new ObjectPool/));
  });
});
