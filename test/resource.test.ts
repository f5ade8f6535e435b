import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { ResourcePool } from 'slabpool/resource';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { coded } from './backends.js';
import { type Thing, Upstream, watched } from './resources.js';
import { VirtualClock } from './virtual-clock.js';

let clock: VirtualClock;
let upstream: Upstream;
beforeEach(() => {
  upstream = new Upstream();
});

/** All tests but those of the real garbage collector move the time themselves. */
function withClock() {
  beforeEach(() => {
    clock = new VirtualClock();
  });
}

const refused = () => Promise.reject(new Error('ECONNREFUSED'));
const never = () => new Promise<never>(() => {});

/** What the pools of the test publish to a channel until its end: others may be collected meanwhile, with their leases. */
function published(name: string): object[] {
  const seen: object[] = [];
  const { pools } = upstream;
  const listen = (message: unknown) => pools.has((message as { pool: string }).pool) && seen.push(message as object);
  subscribe(name, listen);
  onTestFinished(() => {
    unsubscribe(name, listen);
  });
  return seen;
}

describe('leases', () => {
  withClock();

  test('of one resource, one after the other', async () => {
    const pool = upstream.pool();
    const lease = await pool.acquire();
    expect([lease.value.id, lease.released, pool.outstanding()]).toEqual([0, false, 1]);
    lease.release();
    expect([lease.released, pool.outstanding()]).toEqual([true, 0]);
    expect(() => lease.value).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', /its resource may belong to somebody else/));
    expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => lease.destroy()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    lease[Symbol.dispose]();
    const next = await pool.acquire();
    expect(next).not.toBe(lease);
    expect(next.value.id).toBe(0);
    pool.release(next);
    expect(() => pool.release(next)).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    await pool.close();
    expect(upstream.closed).toEqual(['closed']);
  });

  test('a second release of a tracked one says where the first was', async () => {
    const pool = upstream.pool({ leakDetection: 'full', name: 'tracked' });
    const lease = await pool.acquire();
    lease.touch('half way');
    const site = expect.stringMatching(/resource\.test/);
    expect(pool.trackedLeases()).toMatchObject([{ site, size: 0, touches: [{ hint: 'half way' }] }]);
    expect(() => pool.assertNoLeaks()).toThrow(coded('ERR_SLABPOOL_LEAK', /1 is out.*acquired at .*resource\.test/));
    lease.release();
    expect(() => lease.release()).toThrow(
      coded('ERR_SLABPOOL_LEASE_RELEASED', /acquired at .*resource\.test.* and released at .*resource\.test/),
    );
    pool.assertNoLeaks();
  });

  test('by default some of those are tracked that take the last resource', async () => {
    const pool = upstream.pool({ maxSize: 2, leakSampleRate: 2 ** 31 });
    for (let i = 0; i < 3; i++) {
      const leases = [await pool.acquire(), await pool.acquire()];
      expect(pool.trackedLeases()).toHaveLength(1);
      leases[0]?.destroy();
      leases[1]?.release();
      await clock.settle();
    }
  });

  test('a broken one never comes back', async () => {
    const closed = published('slabpool:resource:closed');
    const pool = upstream.pool({ maxSize: 1 });
    const lease = await pool.acquire();
    const next = watched(pool.acquire());
    const why = new Error('ECONNRESET');
    lease.destroy(why);
    await clock.settle();
    expect(next).toMatchObject({ state: 'fulfilled', value: { value: { id: 1 } } });
    expect(upstream.closed).toEqual(['destroyed', undefined]);
    expect(closed).toEqual([{ pool: pool.name, why: 'destroyed', reason: why, ageMs: 0, error: undefined }]);
  });

  test('borrow() releases when fn has ended, however, and lets nobody keep the resource', async () => {
    const pool = upstream.pool();
    expect(await pool.borrow(({ value }) => value.id)).toBe(0);
    expect(await pool.borrow(async ({ value }) => value.id)).toBe(0);
    await expect(pool.borrow(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    await expect(
      pool.borrow(() => {
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    await expect(pool.borrow(({ value }) => value)).rejects.toThrow(coded('ERR_SLABPOOL_BORROWED'));
    await pool.borrow((lease) => lease.destroy('broken'));
    expect(pool.outstanding()).toBe(0);
    expect(upstream.closed).toEqual(['destroyed']);
  });

  test.each([
    ['lifo', [2, 1, 0]],
    ['fifo', [0, 1, 2]],
  ] as const)('%s: the order of idle ones', async (order, expected) => {
    const pool = upstream.pool({ order });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    expect([pool.tryAcquire(), pool.tryAcquire(), pool.tryAcquire()].map((lease) => lease?.value.id)).toEqual(expected);
    expect(pool.tryAcquire()).toBe(null);
  });
});

describe('waiting', () => {
  withClock();

  test('opens as many as wait, up to maxSize, and serves in order', async () => {
    const pool = upstream.pool({ maxSize: 2 });
    const served: number[] = [];
    const held = Array.from({ length: 5 }, (_, i) =>
      pool.acquire().then((lease) => {
        served.push(i);
        return lease;
      }),
    );
    await clock.settle();
    expect(upstream.calls).toBe(2);
    expect(pool.stats()).toMatchObject({
      size: 2,
      used: 2,
      waits: { waiting: 3, total: 5 },
      peak: { used: 2, waiting: 5 },
    });
    for (const lease of held) {
      (await lease).release();
      await clock.settle();
    }
    expect(served).toEqual([0, 1, 2, 3, 4]);
    expect(upstream.calls).toBe(2);
  });

  test("an opening is nobody's: who is first gets what comes", async () => {
    const opens: ((thing: Thing) => void)[] = [];
    upstream.down = () => new Promise((resolve) => opens.push(resolve as never));
    const pool = upstream.pool();
    const abort = new AbortController();
    const first = watched(pool.acquire({ signal: abort.signal }));
    const second = watched(pool.acquire());
    await clock.settle();
    abort.abort(new Error('gone'));
    opens[0]?.(upstream.thing());
    await clock.settle();
    expect([first.state, second.state]).toEqual(['rejected', 'fulfilled']);
    expect(first.error).toMatchObject({ message: 'gone' });
    opens[1]?.(upstream.thing());
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, used: 1, waits: { aborted: 1 } });
  });

  test("the default timeout, the call's, and 0", async () => {
    const pool = upstream.pool({ maxSize: 1, acquireTimeoutMs: 300, name: 'busy' });
    await pool.acquire();
    const [byDefault, own] = [watched(pool.acquire()), watched(pool.acquire({ timeout: 100 }))];
    await expect(pool.acquire({ timeout: 0 })).rejects.toThrow(
      coded('ERR_SLABPOOL_TIMEOUT', /pool 'busy': no resource within 0 ms: 1 of 1 are used; 2 requests wait\. Release/),
    );
    await clock.advance(100);
    expect([byDefault.state, own.error?.code]).toEqual(['pending', 'ERR_SLABPOOL_TIMEOUT']);
    await clock.advance(200);
    expect(byDefault.error?.code).toBe('ERR_SLABPOOL_TIMEOUT');
    expect(pool.stats().waits).toMatchObject({ total: 3, waiting: 0, timedOut: 2 });
  });

  test('maxWaiting', async () => {
    const pool = upstream.pool({ maxSize: 1, maxWaiting: 1 });
    await pool.acquire();
    const waits = watched(pool.acquire());
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_QUEUE_FULL', /maxWaiting is 1/));
    expect(waits.state).toBe('pending');
    expect(pool.stats().refused.queueFull).toBe(1);
  });

  test("whenExhausted: 'throw' waits for what is being opened, but for no release", async () => {
    const pool = upstream.pool({ maxSize: 2, whenExhausted: 'throw' });
    const leases = [await pool.acquire(), await pool.acquire()];
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_EXHAUSTED', /2 of 2 are used; 0 requests wait/));
    leases[0]?.release();
    expect((await pool.acquire()).value.id).toBe(0);
    expect(pool.stats().refused.exhausted).toBe(1);
  });
});

describe('opening', () => {
  withClock();

  test('that fails for good rejects the first in line; the others have the next', async () => {
    upstream.down = refused;
    const failed = published('slabpool:resource:open-failed');
    const pool = upstream.pool({ maxSize: 1, openRetries: 0, name: 'db' });
    const [first, second] = [watched(pool.acquire()), watched(pool.acquire())];
    await clock.settle();
    expect(first.error).toEqual(
      coded('ERR_SLABPOOL_OPEN_FAILED', /pool 'db': no resource could be opened in 1 attempt: ECONNREFUSED/),
    );
    expect(first.error).toMatchObject({ cause: { message: 'ECONNREFUSED' }, details: { attempts: 1 } });
    upstream.down = undefined;
    await clock.settle();
    expect([second.state, pool.stats().refused.openFailed]).toEqual(['rejected', 2]);
    expect(failed).toHaveLength(2);
    expect(await pool.acquire()).toBeDefined();
  });

  test('is tried again, after longer and longer', async () => {
    upstream.down = refused;
    vi.spyOn(Math, 'random').mockReturnValue(0.75);
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    const failed = published('slabpool:resource:open-failed') as { attempt: number; retryMs?: number }[];
    const opened = published('slabpool:resource:opened');
    const pool = upstream.pool({ openRetries: 3 });
    const lease = watched(pool.acquire());
    await clock.settle();
    expect([upstream.calls, pool.stats().opening]).toEqual([1, 1]);
    await clock.advance(75);
    expect(upstream.calls).toBe(2);
    await clock.advance(149);
    expect(upstream.calls).toBe(2);
    await clock.advance(1);
    expect(upstream.calls).toBe(3);
    upstream.down = undefined;
    await clock.advance(300);
    expect(lease.state).toBe('fulfilled');
    expect(failed.map(({ attempt, retryMs }) => [attempt, retryMs])).toEqual([
      [1, 75],
      [2, 150],
      [3, 300],
    ]);
    expect(opened).toMatchObject([{ attempts: 4 }]);
    expect(pool.stats()).toMatchObject({ opened: 1, opens: { failed: 3, late: 0 } });
  });

  test('that takes too long is given up, aborted, and closed if it comes nevertheless', async () => {
    let late: (thing: Thing) => void = () => {};
    let aborted: unknown;
    upstream.down = (signal) => {
      signal.addEventListener('abort', () => {
        aborted = signal.reason;
      });
      return new Promise((resolve) => {
        late = resolve;
      });
    };
    const pool = upstream.pool({ openTimeoutMs: 50, openRetries: 0, maxSize: 1 });
    const lease = watched(pool.acquire());
    await clock.advance(50);
    expect(lease.error).toEqual(
      coded('ERR_SLABPOOL_OPEN_FAILED', /option 'open' has not ended within openTimeoutMs, 50 ms/),
    );
    expect(aborted).toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    upstream.down = undefined;
    const next = await pool.acquire();
    late(upstream.thing());
    await clock.settle();
    expect([next.value.id, upstream.closed]).toEqual([0, [undefined, 'late']]);
    expect(pool.stats()).toMatchObject({ size: 1, opened: 1, opens: { failed: 1, late: 1 } });
  });

  test('a hanging one blocks nobody', async () => {
    let calls = 0;
    const pool = upstream.pool({ maxSize: 2, open: () => (calls++ === 0 ? never() : upstream.thing()) });
    const [first, second] = [watched(pool.acquire()), watched(pool.acquire())];
    await clock.settle();
    expect([first.state, second.state]).toEqual(['fulfilled', 'pending']);
    first.value?.release();
    await clock.settle();
    expect(second.state).toBe('fulfilled');
  });

  test('what times out while opening fails tells why', async () => {
    upstream.down = refused;
    const pool = upstream.pool({ openRetries: 100 });
    const lease = watched(pool.acquire({ timeout: 1000 }));
    await clock.advance(1000);
    expect(lease.error).toEqual(coded('ERR_SLABPOOL_TIMEOUT', /The latest opening has failed: see the cause/));
    expect(lease.error).toMatchObject({ cause: { message: 'ECONNREFUSED' } });
  });
});

describe('checks', () => {
  withClock();

  test('only what was idle for long, and one that fails is replaced by the next', async () => {
    const pool = upstream.pool({ checkAfterIdleMs: 100 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await clock.advance(99);
    expect(pool.tryAcquire()?.release()).toBeUndefined();
    expect(upstream.checked).toEqual([]);
    await clock.advance(150);
    expect(pool.tryAcquire()).toBe(null);
    for (const id of [2, 1]) (upstream.things[id] as Thing).works = false;
    const lease = watched(pool.acquire());
    await clock.settle();
    expect(lease.value?.value.id).toBe(0);
    expect(upstream.checked).toEqual([2, 1, 0]);
    expect(upstream.closed).toEqual([undefined, 'check', 'check']);
    expect(pool.stats()).toMatchObject({ checks: 3, closed: { check: 2 }, used: 1, size: 1 });
  });

  test('an idle one is checked, also while one is being opened that somebody has left', async () => {
    const pool = upstream.pool({ checkAfterIdleMs: 100 });
    const held = await pool.acquire();
    upstream.down = never;
    await expect(Promise.race([pool.acquire({ timeout: 10 }), clock.advance(10).then(never)])).rejects.toThrow(
      coded('ERR_SLABPOOL_TIMEOUT'),
    );
    held.release();
    await clock.advance(100);
    expect((await pool.acquire()).value.id).toBe(0);
    expect([upstream.checked, pool.stats().opening]).toEqual([[0], 1]);
  });

  test('one that is too old by now is not checked any more', async () => {
    const pool = upstream.pool({ maxLifetimeMs: 1500, maxLifetimeJitterMs: 0, checkAfterIdleMs: 100, check: never });
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await clock.advance(1499);
    const first = watched(pool.acquire());
    await clock.advance(1);
    const second = watched(pool.acquire());
    await clock.settle();
    // Who is first gets what is opened for the second.
    expect([first.value?.value.id, second.state, pool.stats().closed.lifetime]).toEqual([2, 'pending', 1]);
  });

  test('the next one is tried before the broken one is closed', async () => {
    upstream.closing = never;
    const pool = upstream.pool({ checkAfterIdleMs: 0, maxSize: 2 });
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    (upstream.things[1] as Thing).works = false;
    const lease = watched(pool.acquire());
    await clock.settle();
    expect(lease.value?.value.id).toBe(0);
    expect(pool.stats()).toMatchObject({ used: 1, closing: 1 });
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('check');
      },
    ],
    ['rejects', () => Promise.reject(new Error('check'))],
    ['hangs', never],
  ])('one that %s has failed', async (_, check) => {
    const pool = upstream.pool({ checkAfterIdleMs: 0, check, openTimeoutMs: 50 });
    (await pool.acquire()).release();
    const lease = watched(pool.acquire());
    await clock.advance(50);
    expect(lease.value?.value.id).toBe(1);
    expect(upstream.closed).toEqual(['check', undefined]);
  });
});

describe('getting old', () => {
  withClock();

  test('idle ones, but for minIdle of them', async () => {
    const pool = upstream.pool({ maxIdleMs: 5000, minIdle: 1 });
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases) lease.release();
    await clock.advance(4999);
    expect(upstream.closed.filter(Boolean)).toEqual([]);
    await clock.advance(1001);
    expect(upstream.closed.filter(Boolean)).toEqual(['idle', 'idle']);
    expect(pool.stats()).toMatchObject({ idle: 1, closed: { idle: 2 } });
  });

  test('all, also when they come back, and not all at once', async () => {
    let drawn = 0;
    // Spread evenly, since by chance none may end in the first half.
    const random = vi.spyOn(Math, 'random').mockImplementation(() => ((drawn++ % 10) + 0.5) / 10);
    onTestFinished(() => random.mockRestore());
    const pool = upstream.pool({ maxLifetimeMs: 10_000, maxLifetimeJitterMs: 5000 });
    const leases = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
    const used = leases.pop();
    for (const lease of leases) lease.release();
    await clock.advance(4999);
    expect(pool.stats().idle).toBe(9);
    await clock.advance(2500);
    expect(pool.stats().idle).toBeLessThan(9);
    await clock.advance(2502);
    expect(pool.stats()).toMatchObject({ idle: 0, used: 1, closed: { lifetime: 9 } });
    used?.release();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ size: 0, closed: { lifetime: 10 } });
    expect(clock.pending).toBeLessThanOrEqual(1);
    await clock.advance(2000);
    expect(clock.pending).toBe(0);
  });

  test('minIdle are opened ahead, and again when they were taken', async () => {
    const pool = upstream.pool({ minIdle: 2, maxSize: 3 });
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 2, acquires: 0 });
    await pool.acquire();
    await pool.acquire();
    await clock.advance(1000);
    expect(pool.stats()).toMatchObject({ idle: 1, used: 2, size: 3 });
  });

  test('minIdle are opened beside what those who wait will get', async () => {
    upstream.down = never;
    const pool = upstream.pool({ minIdle: 1 });
    pool.acquire().catch(() => {});
    await clock.settle();
    expect(upstream.calls).toBe(1);
    await clock.advance(1000);
    expect(upstream.calls).toBe(2);
    await clock.advance(1000);
    expect(upstream.calls).toBe(2);
  });

  test('trim() closes what is idle', async () => {
    const pool = upstream.pool();
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    for (const lease of leases.slice(1)) lease.release();
    expect(pool.trim()).toBe(2);
    await clock.settle();
    expect(upstream.closed).toEqual([undefined, 'trimmed', 'trimmed']);
  });

  test.each<[string, () => unknown, number]>([
    [
      'fails',
      () => {
        throw new Error('already gone');
      },
      0,
    ],
    ['rejects', refused, 0],
    ['hangs', never, 50],
  ])('a close that %s ends all the same', async (_, closing, ms) => {
    const closed = published('slabpool:resource:closed');
    upstream.closing = closing;
    const pool = upstream.pool({ maxSize: 1, openTimeoutMs: 50 });
    (await pool.acquire()).destroy();
    const next = watched(pool.acquire());
    await clock.advance(ms);
    await clock.settle();
    expect(next.state).toBe('fulfilled');
    expect(pool.stats().closeFailed).toBe(1);
    expect(closed).toMatchObject([{ why: 'destroyed', error: expect.any(Error) }]);
  });
});

describe('the circuit breaker', () => {
  withClock();

  test('refuses at once while nothing can be opened, and tries one after coolDownMs', async () => {
    upstream.down = refused;
    const turns = published('slabpool:resource:circuit') as { circuit: string }[];
    const pool = upstream.pool({ openRetries: 0, breaker: { failures: 3, windowMs: 1000, coolDownMs: 500 } });
    const all = Array.from({ length: 20 }, () => watched(pool.acquire()));
    await clock.settle();
    const codes = all.map(({ error }) => error?.code);
    // Ten were on their way, and two more were begun after the first two failures.
    expect(codes.filter((code) => code === 'ERR_SLABPOOL_OPEN_FAILED')).toHaveLength(12);
    expect(codes.filter((code) => code === 'ERR_SLABPOOL_CIRCUIT_OPEN')).toHaveLength(8);
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'ERR_SLABPOOL_CIRCUIT_OPEN',
      details: { retryAfterMs: 500 },
      cause: { message: 'ECONNREFUSED' },
    });
    expect(upstream.calls).toBe(12);
    await clock.advance(500);
    const probe = watched(pool.acquire());
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_CIRCUIT_OPEN'));
    await clock.settle();
    expect([probe.error?.code, upstream.calls]).toEqual(['ERR_SLABPOOL_OPEN_FAILED', 13]);
    upstream.down = undefined;
    await clock.advance(500);
    expect((await pool.acquire()).value).toBeDefined();
    expect(turns.map(({ circuit }) => circuit)).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
    expect(pool.stats()).toMatchObject({
      circuit: { state: 'closed', trips: 2 },
      refused: { circuitOpen: 10, openFailed: 13 },
    });
  });

  test('leaves those alone for whom something is on its way, and idle ones', async () => {
    const pool = upstream.pool({ openRetries: 0, maxSize: 3, breaker: { failures: 1 } });
    const lease = await pool.acquire();
    upstream.down = refused;
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_OPEN_FAILED'));
    lease.release();
    expect((await pool.acquire()).value.id).toBe(0);
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_CIRCUIT_OPEN'));
  });

  test('counts failures in a row, within the window', async () => {
    const pool = upstream.pool({ openRetries: 0, breaker: { failures: 2, windowMs: 100 } });
    const fail = async () => {
      upstream.down = refused;
      await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_OPEN_FAILED'));
      upstream.down = undefined;
    };
    await fail();
    await clock.advance(100);
    await fail();
    (await pool.acquire()).destroy();
    await fail();
    expect(pool.stats().circuit).toEqual({ state: 'closed', trips: 0 });
    await fail();
    expect(pool.stats().circuit).toEqual({ state: 'open', trips: 1 });
  });

  test('ends the attempts of what is being opened', async () => {
    upstream.down = refused;
    const pool = upstream.pool({ openRetries: 10, breaker: { failures: 2, coolDownMs: 60_000 } });
    const lease = watched(pool.acquire());
    await clock.advance(1000);
    expect(lease.error).toMatchObject({ code: 'ERR_SLABPOOL_OPEN_FAILED', details: { attempts: 2 } });
    expect(upstream.calls).toBe(2);
  });

  test('the sweeper makes the probe where minIdle are wanted', async () => {
    upstream.down = refused;
    const pool = upstream.pool({ openRetries: 0, minIdle: 1, breaker: { failures: 1, coolDownMs: 2500 } });
    await clock.advance(1000);
    expect([upstream.calls, pool.stats().circuit.state]).toEqual([1, 'open']);
    upstream.down = undefined;
    await clock.advance(3000);
    expect([upstream.calls, pool.stats().circuit.state, pool.stats().idle]).toEqual([2, 'closed', 1]);
  });
});

describe('the end', () => {
  withClock();

  test('waits for leases, and refuses who waits', async () => {
    const listeners = process.listenerCount('beforeExit');
    const pool = upstream.pool({ maxSize: 2, name: 'ends' });
    const [one, two] = [await pool.acquire(), await pool.acquire()];
    two.release();
    const third = await pool.acquire();
    const waits = watched(pool.acquire());
    const end = watched(pool.close());
    await clock.settle();
    expect([waits.error?.code, end.state]).toEqual(['ERR_SLABPOOL_CLOSED', 'pending']);
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(() => pool.tryAcquire()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(pool.stats().used).toBe(2);
    one.release();
    third.destroy();
    await clock.settle();
    expect(end.state).toBe('fulfilled');
    expect(upstream.closed).toEqual(['closed', 'destroyed']);
    for (const call of [() => pool.stats(), () => pool.trim(), () => pool.outstanding(), () => pool.assertNoLeaks()])
      expect(call).toThrow(coded('ERR_SLABPOOL_CLOSED', /it was closed; make a new ResourcePool/));
    await pool.close();
    await pool[Symbol.asyncDispose]();
    expect(process.listenerCount('beforeExit')).toBe(listeners);
  });

  test('closes what is used when the time is up, and says who has it', async () => {
    const pool = upstream.pool({ leakDetection: 'full', name: 'ends' });
    const leases = [await pool.acquire(), await pool.acquire()];
    const end = watched(pool.close({ timeout: 100 }));
    const other = watched(pool.close());
    await clock.advance(99);
    expect(end.state).toBe('pending');
    await clock.advance(1);
    expect(end.error).toEqual(
      coded(
        'ERR_SLABPOOL_TIMEOUT',
        /not all leases were released within 100 ms: 2 were out.*1 acquired at .*resource\.test.*; 1 acquired at .*resource\.test/,
      ),
    );
    expect(end.error).toMatchObject({ details: { outstanding: 2, timeoutMs: 100 } });
    expect(other.state).toBe('fulfilled');
    expect(upstream.closed).toEqual(['closed', 'closed']);
    for (const lease of leases) {
      expect(lease.value.closed).toBe('closed');
      lease.release();
      expect(lease.released).toBe(true);
    }
    expect(upstream.closed).toEqual(['closed', 'closed']);
  });

  test.each([[{ timeout: 0 }], [{ signal: AbortSignal.abort(new Error('now')) }]])('at once: %s', async (options) => {
    const pool = upstream.pool();
    await pool.acquire();
    const end = watched(pool.close(options));
    await clock.settle();
    expect(end.error).toMatchObject('signal' in options ? { message: 'now' } : { code: 'ERR_SLABPOOL_TIMEOUT' });
    expect(upstream.closed).toEqual(['closed']);
    // Nobody had anything.
    const idle = upstream.pool();
    (await idle.acquire()).release();
    await idle.close(options);
  });

  test('aborts openings and checks, and waits for what they come to', async () => {
    let reason: unknown;
    upstream.down = (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(signal.reason);
        });
      });
    const pool = upstream.pool();
    const lease = watched(pool.acquire());
    await clock.settle();
    await pool.close();
    expect(reason).toEqual(coded('ERR_SLABPOOL_CLOSED'));
    expect(lease.error?.code).toBe('ERR_SLABPOOL_CLOSED');
    // One that does not care.
    upstream.down = () => new Promise((resolve) => clock.after(30, () => resolve(upstream.thing())));
    const other = upstream.pool();
    other.acquire().catch(() => {});
    await clock.settle();
    const end = watched(other.close());
    await clock.advance(29);
    expect(end.state).toBe('pending');
    await clock.advance(1);
    expect([end.state, upstream.closed]).toEqual(['fulfilled', ['closed']]);
    expect(clock.pending).toBe(0);
  });

  test('does not wait for the next attempt', async () => {
    upstream.down = refused;
    const pool = upstream.pool({ openRetries: 100 });
    pool.acquire().catch(() => {});
    await clock.advance(500);
    await pool.close();
    expect(clock.pending).toBe(0);
  });
});

describe('functions of the program', () => {
  withClock();

  test('find the pool at rest, and may do with it what they like', async () => {
    let pool: ResourcePool<Thing>;
    const done: string[] = [];
    pool = upstream.pool({
      maxSize: 2,
      checkAfterIdleMs: 0,
      open: () => {
        done.push(`open ${pool.stats().opening}`);
        pool.tryAcquire()?.release();
        pool.trim();
        return upstream.thing();
      },
      check: () => {
        done.push(`check ${pool.stats().checking}`);
        pool.trim();
        return true;
      },
      close: () => {
        done.push(`close ${pool.stats().closing}`);
        void pool.close();
      },
    });
    (await pool.acquire()).release();
    const lease = await pool.acquire();
    expect(done).toEqual(['open 1', 'check 1']);
    lease.destroy();
    await clock.settle();
    await expect(pool.acquire()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(done).toEqual(['open 1', 'check 1', 'close 1']);
  });

  test('and so may subscribers', async () => {
    const pool = upstream.pool({ maxSize: 1 });
    const close = () => void pool.close({ timeout: 0 }).catch(() => {});
    subscribe('slabpool:resource:opened', close);
    onTestFinished(() => {
      unsubscribe('slabpool:resource:opened', close);
    });
    const lease = await pool.acquire();
    await clock.settle();
    expect(upstream.closed).toEqual(['closed']);
    lease.release();
  });
});

test('10,000 who wait for 10 are served in order, and none is lost', async () => {
  const pool = upstream.pool({ maxSize: 10 });
  const served: number[] = [];
  await Promise.all(
    Array.from({ length: 10_000 }, async (_, i) => {
      const lease = await pool.acquire();
      served.push(i);
      lease.release();
    }),
  );
  expect(served).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
  expect(pool.stats()).toMatchObject({ acquires: 10_000, idle: 10, peak: { waiting: 10_000 } });
  await pool.close();
});

test('a lease that is lost gives its resource up, and tells', async () => {
  const leaks = published('slabpool:leak');
  const closed = published('slabpool:resource:closed');
  const pool = upstream.pool({ maxSize: 2, leakDetection: 'full', name: 'leaky' });
  await (async () => {
    await pool.acquire();
    await pool.acquire();
  })();
  const waits = pool.acquire();
  for (let i = 0; i < 100 && pool.stats().closed.leaked < 2; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc?.();
  }
  expect((await waits).value.id).toBeGreaterThanOrEqual(2);
  expect(upstream.closed.slice(0, 2)).toEqual(['leaked', 'leaked']);
  expect(closed).toMatchObject([{ why: 'leaked' }, { why: 'leaked' }]);
  expect(leaks).toMatchObject([{ pool: 'leaky', site: expect.stringMatching(/resource\.test/) }, { pool: 'leaky' }]);
  expect(String(pool.diagnose())).toMatch(/warning collected: 2 leases were garbage-collected/);
  await pool.close({ timeout: 0 }).catch(() => {});
});
