import diagnostics from 'node:diagnostics_channel';
import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Lease as LeaseClass } from '../dist/lease/lease.js';
import { BACKENDS, checkBooks, heapOf, KiB } from './backends.js';

const THROWN = 'from a callback';
const BLOCK = 4 * KiB;
const LARGE = 16 * KiB;
/** How long somebody waits in vain, in milliseconds. */
const SOON = 10;

const drains = new WeakMap<BufferPool, Promise<void>>();

/** What a callback does to the pool that called it. */
const ACTIONS: Record<string, (pool: BufferPool, held: Lease[]) => void> = {
  'closes the pool': (pool) => pool.close(),
  'closes it twice': (pool) => {
    pool.close();
    pool.close();
  },
  'begins to drain it': (pool) => void drains.set(pool, drains.get(pool) ?? pool.drain()),
  trims: (pool) => void pool.trim(),
  'acquires, of the same tier and of another': (pool) => {
    for (const size of [BLOCK, LARGE, BLOCK]) {
      try {
        pool.acquire(size).release();
      } catch {} // It may be full.
    }
  },
  'acquires, and keeps it': (pool, held) => {
    try {
      held.push(pool.acquire(BLOCK));
    } catch {}
  },
  waits: (pool) => {
    pool.acquireAsync(LARGE, { timeout: SOON }).then(
      (lease) => lease.release(),
      () => {},
    );
  },
  'releases all there is': (_, held) => {
    for (const lease of held.splice(0)) lease[Symbol.dispose]();
  },
  'asks for figures': (pool) => void [pool.stats(), pool.outstanding(), pool.trackedLeases()],
  throws: () => {
    throw new Error(THROWN);
  },
};

const leak = (pool: BufferPool) => void pool.acquire(BLOCK);

async function collectGarbage(heard: () => boolean): Promise<void> {
  for (let i = 0; i < 10 && !heard(); i++) {
    await new Promise(setImmediate);
    gc?.();
  }
}

type Trigger = (pool: BufferPool, held: Lease[], heard: () => boolean) => unknown;

/** For each event what makes it happen: whatever it returns is a lease, a promise of one, or nothing. */
const EVENTS: Record<string, [channel: string, trigger: Trigger]> = {
  'a slab for acquire()': ['slab:create', (pool) => pool.acquire(BLOCK)],
  'a slab for a size of 0': ['slab:create', (pool) => pool.acquire(0)],
  'a slab for acquireAsync()': ['slab:create', (pool) => pool.acquireAsync(BLOCK)],
  'a slab for acquireMany()': ['slab:create', (pool) => pool.acquireMany(BLOCK, 3)],
  'a slab for borrow()': ['slab:create', (pool) => pool.borrow(BLOCK, (lease) => void lease.bytes.fill(1))],
  'a slab for prewarm()': ['slab:create', (pool) => pool.prewarm(BLOCK, 2)],
  'trim()': [
    'trim',
    (pool) => {
      pool.acquire(BLOCK).release();
      pool.trim();
    },
  ],
  'idle memory given up for acquire()': [
    'trim',
    (pool) => {
      pool.releaseMany(pool.acquireMany(BLOCK, 4));
      return pool.acquire(LARGE);
    },
  ],
  'idle memory given up for acquireAsync(), which waits nevertheless': [
    'trim',
    (pool, held) => {
      held.push(pool.acquire(BLOCK));
      pool.acquire(BLOCK).release();
      return pool.acquireAsync(LARGE, { timeout: SOON });
    },
  ],
  'a refusal': [
    'exhausted',
    (pool, held) => {
      held.push(...pool.acquireMany(BLOCK, 4));
      return pool.acquire(BLOCK);
    },
  ],
  'a refusal of acquireMany()': ['exhausted', (pool) => pool.acquireMany(BLOCK, 5)],
  'somebody who waits': [
    'exhausted',
    (pool, held) => {
      held.push(...pool.acquireMany(BLOCK, 4));
      return pool.acquireAsync(BLOCK, { timeout: SOON });
    },
  ],
  'an oversize request': ['oversize', (pool) => pool.acquire(64 * KiB)],
  'an oversize request that is refused': [
    'oversize',
    (pool, held) => {
      held.push(pool.acquire(64 * KiB));
      return pool.acquire(64 * KiB);
    },
  ],
  'an oversize request that waits': [
    'oversize',
    async (pool, held) => {
      held.push(pool.acquire(100 * KiB));
      const waits = pool.acquireAsync(64 * KiB, { timeout: SOON });
      held.pop()?.release();
      return waits;
    },
  ],
  pressure: [
    'pressure',
    (pool) => {
      const heap = heapOf(pool);
      vi.spyOn(heap.core, 'pressure').mockReturnValue({
        source: 'system',
        level: 'high',
        usedBytes: 7,
        limitBytes: 10,
      });
      heap.ticker.tick();
    },
  ],
  'a leak': [
    'leak',
    async (pool, _, heard) => {
      leak(pool);
      await collectGarbage(heard);
    },
  ],
  'a leak of an oversize lease that somebody waits for': [
    'leak',
    async (pool, _, heard) => {
      (() => void pool.acquire(100 * KiB))();
      const waits = pool.acquireAsync(64 * KiB, { timeout: 500 });
      waits.catch(() => {}); // A subscriber may close the pool first.
      await collectGarbage(heard);
      (await waits)[Symbol.dispose]();
    },
  ],
  'a write after the release': [
    'use-after-release',
    (pool) => {
      const lease = pool.acquire(BLOCK);
      const { bytes } = lease;
      lease.release();
      bytes.fill(7);
      return pool.acquire(BLOCK);
    },
  ],
};

type Callback = () => void;

/** Somebody else who waits, for so long; what he gets is held. */
const waits = (pool: BufferPool, held: Lease[]) =>
  pool.acquireAsync(BLOCK, { timeout: SOON }).then(
    (lease) => void held.push(lease),
    () => {},
  );

function abortable() {
  const aborter = new AbortController();
  return { signal: aborter.signal, abort: () => aborter.abort() };
}

/** What else calls the program back, and what makes it do so. */
const CALLBACKS: Record<string, (pool: BufferPool, held: Lease[], callback: Callback) => unknown> = {
  'the function of borrow()': (pool, _, callback) => pool.borrow(BLOCK, callback),
  'the async function of borrow(), later': (pool, _, callback) =>
    pool.borrow(BLOCK, async () => {
      await null;
      callback();
    }),
  'the function of borrow(), of an oversize lease': (pool, _, callback) => pool.borrow(64 * KiB, callback),
  'the function of borrowAsync(), at once': (pool, _, callback) => pool.borrowAsync(BLOCK, callback),
  'the function of borrowAsync(), when it was waited for': (pool, held, callback) => {
    held.push(...pool.acquireMany(BLOCK, 4));
    const lent = pool.borrowAsync(BLOCK, callback);
    held.pop()?.release();
    return lent;
  },
  'a thenable that borrow() waits for': (pool, _, callback) =>
    pool.borrow(BLOCK, () => ({
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then(resolve: () => void) {
        callback();
        resolve();
      },
    })),
  'who goes on as it is served': async (pool, held, callback) => {
    held.push(...pool.acquireMany(BLOCK, 4));
    const first = pool.acquireAsync(BLOCK);
    const next = waits(pool, held);
    held.pop()?.release();
    held.push(await first);
    try {
      callback();
    } finally {
      await next;
    }
  },
  'who goes on as its time is up': async (pool, held, callback) => {
    held.push(...pool.acquireMany(BLOCK, 4));
    const next = waits(pool, held);
    await pool
      .acquireAsync(BLOCK, { timeout: 5 })
      .catch(callback)
      .finally(() => next);
  },
  'a listener of the signal, before the pool’s': async (pool, held, callback) => {
    held.push(...pool.acquireMany(BLOCK, 4));
    const { signal, ...aborter } = abortable();
    signal.addEventListener('abort', callback);
    const first = pool.acquireAsync(LARGE, { signal }).catch(() => {});
    const next = waits(pool, held);
    aborter.abort();
    await Promise.all([first, next]);
  },
  'a listener of the signal, after the pool’s, whose abort serves another': async (pool, held, callback) => {
    held.push(pool.acquire(BLOCK));
    const { signal, ...aborter } = abortable();
    const first = pool.acquireAsync(LARGE, { signal }).catch(() => {});
    const next = waits(pool, held);
    signal.addEventListener('abort', callback);
    aborter.abort();
    await Promise.all([first, next]);
  },
  'the iterable of releaseMany()': (pool, held, callback) => {
    const leases = pool.acquireMany(BLOCK, 4);
    held.push(...leases);
    try {
      pool.releaseMany(
        (function* () {
          yield leases[0];
          callback();
          yield leases[1];
        })(),
      );
    } finally {
      held.push(leases[0]); // whoever released it meanwhile did so in vain
    }
  },
};

let uncaught: unknown[] = [];
let listeners: NodeJS.UncaughtExceptionListener[] = [];
const onUncaught = (error: unknown) => void uncaught.push(error);

beforeEach(() => {
  uncaught = [];
  listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', onUncaught);
});

afterEach(async () => {
  await new Promise(setImmediate);
  process.removeAllListeners('uncaughtException');
  for (const listener of listeners) process.on('uncaughtException', listener);
  vi.restoreAllMocks();
});

const isLease = (value: unknown): value is Lease => value instanceof LeaseClass;

function closed(pool: BufferPool): boolean {
  try {
    pool.outstanding();
    return false;
  } catch {
    return true;
  }
}

/** Runs it to its end. Whatever it was, the pool holds together, and what was promised is settled. */
async function endsWell(pool: BufferPool, held: Lease[], run: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const hangs = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('it hangs')), 5000);
  });
  const outcome = await Promise.race([new Promise((resolve) => resolve(run())), hangs]).then(
    (value) => [value].flat().filter(isLease),
    (error: Error) => error,
  );
  clearTimeout(timer);
  const isClosed = closed(pool);
  if (outcome instanceof Error && outcome.message === THROWN) {
    // Its own error: nothing is lost.
  } else if (outcome instanceof Error) {
    expect(outcome).toMatchObject({ name: 'SlabPoolError' });
    if (isClosed) expect(outcome).toMatchObject({ code: 'ERR_SLABPOOL_CLOSED' });
  } else if (isClosed) {
    expect(outcome).toEqual([]);
  } else {
    for (const lease of outcome) expect(lease.bytes.fill(1).length).toBeGreaterThanOrEqual(lease.size);
    held.push(...outcome);
  }
  if (isClosed) return;
  for (const lease of held) lease[Symbol.dispose]();
  if (drains.has(pool)) {
    await Promise.race([drains.get(pool), new Promise((_, reject) => setTimeout(reject, 5000, new Error('it hangs')))]);
    expect(closed(pool)).toBe(true);
    return;
  }
  await new Promise(setImmediate);
  expect(pool.outstanding()).toBe(0);
  checkBooks(pool);
  pool.close();
}

function make(backend: (typeof BACKENDS)[number], options: object = {}): BufferPool {
  return new BufferPool({
    backend,
    maxBytes: LARGE,
    tiers: [BLOCK, LARGE],
    maxOversizeBytes: 128 * KiB,
    leakDetection: 'full',
    ...options,
  });
}

describe.each(BACKENDS)('C: a subscriber of the %s core', (backend) => {
  describe.each(Object.entries(EVENTS))('of %s', (_, [channel, trigger]) => {
    test.each(Object.entries(ACTIONS))('%s', async (what, action) => {
      const pool = make(backend, { debug: channel === 'use-after-release' ? 'poison' : 'off' });
      const held: Lease[] = [];
      let calls = 0;
      const subscriber = (message: unknown) => {
        if ((message as { pool: string }).pool === pool.name && calls++ < 3) action(pool, held);
      };
      diagnostics.subscribe(`slabpool:${channel}`, subscriber);
      try {
        await endsWell(pool, held, () => trigger(pool, held, () => calls > 0));
      } finally {
        diagnostics.unsubscribe(`slabpool:${channel}`, subscriber);
      }
      await new Promise(setImmediate);
      expect(calls).toBeGreaterThan(0);
      for (const error of uncaught) expect([what, (error as Error).message]).toEqual(['throws', THROWN]);
    });
  });
});

describe.each(BACKENDS)('C: a callback of the %s core', (backend) => {
  describe.each(Object.entries(CALLBACKS))('%s', (_, trigger) => {
    test.each(Object.entries(ACTIONS))('%s', async (what, action) => {
      const held: Lease[] = [];
      let calls = 0;
      const callback = () => {
        if (calls++ < 3) action(pool, held);
      };
      const pool = make(backend);
      await endsWell(pool, held, () => trigger(pool, held, callback));
      await new Promise(setImmediate);
      expect(calls).toBeGreaterThan(0);
      for (const error of uncaught) expect([what, (error as Error).message]).toEqual(['throws', THROWN]);
    });
  });
});
