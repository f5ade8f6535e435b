import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { BufferPool, type BufferPoolOptions, type Lease } from 'slabpool';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, KiB, MiB } from './backends.js';

const BLOCK = 64 * KiB;

/** Requests by name; `served` lists them in the order in which they were served. */
function queue(pool: BufferPool) {
  const served: string[] = [];
  const leases = new Map<string, Lease>();
  return {
    served,
    async ask(name: string, size: number) {
      leases.set(name, await pool.acquireAsync(size));
      served.push(name);
    },
    release(name: string) {
      leases.get(name)?.release();
    },
  };
}

/** Longer than any grant takes to arrive. */
const settle = () => setTimeout(20);

describe.each(BACKENDS)('waiting for budget on the %s core', (backend) => {
  const make = (options: BufferPoolOptions = {}) =>
    new BufferPool({
      backend,
      maxBytes: 4 * BLOCK,
      ...(options.tiers === undefined ? { maxPooledSize: 4 * BLOCK } : {}),
      maxOversizeBytes: MiB,
      ...options,
    });

  test('a block that was granted to a request which is given up in the same turn goes back at once', async () => {
    const pool = make();
    for (const releaseFirst of [false, true, true]) {
      const lease = pool.acquire(4 * BLOCK);
      const controller = new AbortController();
      const asked = pool.acquireAsync(4 * BLOCK, { signal: controller.signal });
      const end = [() => lease.release(), () => controller.abort()];
      for (const step of releaseFirst ? end : end.reverse()) step();
      await expect(asked).rejects.toThrow('aborted');
      pool.acquire(4 * BLOCK).release();
      expect(pool.stats()).toMatchObject({ inFlightBytes: 0, outstanding: 0 });
    }
    checkBooks(pool);
    pool.close();
  });

  test('does not wait while there is room', async () => {
    const pool = make();
    const lease = await pool.acquireAsync(BLOCK);
    expect([lease.size, lease.capacity]).toEqual([BLOCK, BLOCK]);
    lease.release();
    expect((await pool.acquireAsync(0)).size).toBe(0);
    expect(pool.stats().waits).toEqual({ total: 0, waiting: 0, here: 0, timedOut: 0, aborted: 0, totalMs: 0 });
    checkBooks(pool);
    pool.close();
  });

  test('waits until something is released, and gets it', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const { served, ask } = queue(pool);
    const asked = ask('a', BLOCK);
    await settle();
    expect(served).toEqual([]);
    expect(pool.stats().waits).toMatchObject({ total: 1, waiting: 1, here: 1 });
    expect(pool.diagnose().findings.map(({ id }) => id)).toContain('waits-for-itself');
    checkBooks(pool);
    leases[0].release();
    await asked;
    expect(pool.stats().waits).toMatchObject({ total: 1, waiting: 0 });
    expect(pool.stats().waits.totalMs).toBeGreaterThan(10);
    expect(pool.outstanding()).toBe(4);
    checkBooks(pool);
    pool.close();
  });

  test('what was granted is in flight until it is delivered', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const asked = pool.acquireAsync(BLOCK);
    leases.pop()?.release();
    expect(pool.stats()).toMatchObject({ inFlightBytes: BLOCK, leasedBytes: 3 * BLOCK, outstanding: 3 });
    checkBooks(pool);
    leases.push(await asked);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 4 * BLOCK, outstanding: 4 });
    checkBooks(pool);
    pool.releaseMany(leases);
    pool.close();
  });

  test('serves in the order of asking, across sizes: a large one is not overtaken by small ones', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const { served, ask, release } = queue(pool);
    const asked = [ask('large', 3 * BLOCK), ask('small', BLOCK), ask('tiny', KiB), ask('last', 4 * BLOCK)];
    for (const expected of [[], [], ['large']]) {
      leases.pop()?.release();
      await settle();
      expect(served).toEqual(expected);
    }
    leases.pop()?.release();
    await settle();
    expect(served).toEqual(['large', 'small']);
    release('large');
    await settle();
    expect(served).toEqual(['large', 'small', 'tiny']);
    release('small');
    release('tiny');
    await Promise.all(asked);
    expect(served).toEqual(['large', 'small', 'tiny', 'last']);
    checkBooks(pool);
    pool.close();
  });

  test('C: waits also where all that is at hand was detached after its release', async () => {
    const pool = make({ tiers: [BLOCK] });
    const [kept, ...rest] = pool.acquireMany(BLOCK, 4);
    const { bytes } = kept;
    kept.release();
    await detach(bytes);
    await expect(pool.acquireAsync(BLOCK, { timeout: 5 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    const asked = pool.acquireAsync(BLOCK);
    rest.pop()?.release();
    (await asked).release();
    pool.releaseMany(rest);
    expect(pool.stats()).toMatchObject({ outstanding: 0, retiredBytes: BLOCK });
    checkBooks(pool);
    pool.close();
  });

  test('a stream of small ones does not starve a large one', async () => {
    const pool = make();
    const { served, ask } = queue(pool);
    const busy = pool.acquireMany(BLOCK, 4);
    const asked = ask('large', 4 * BLOCK);
    // Each small one is released as soon as it is had, and asked for again.
    let ended = false;
    const stream = Array.from({ length: 4 }, async () => {
      busy.pop()?.release();
      while (!ended) {
        (await pool.acquireAsync(BLOCK)).release();
        await setImmediate();
      }
    });
    await asked;
    expect(served).toEqual(['large']);
    ended = true;
    pool.close();
    await Promise.allSettled(stream);
  });

  test('while anybody waits, acquire() is not served ahead of its turn', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const { served, ask } = queue(pool);
    const asked = ask('large', 2 * BLOCK);
    leases.pop()?.release();
    await settle();
    expect(() => pool.acquire(BLOCK)).toThrow(
      coded('ERR_SLABPOOL_EXHAUSTED', /1 requests wait .* acquireAsync/, {
        details: expect.objectContaining({ waiting: 1 }),
      }),
    );
    leases.pop()?.release();
    await asked;
    expect(served).toEqual(['large']);
    leases.pop()?.release();
    // The queue is empty: things are as before.
    pool.acquire(BLOCK).release();
    pool.acquire(BLOCK).release();
    expect(pool.stats().hits.magazine).toBeGreaterThan(0);
    checkBooks(pool);
    pool.close();
  });

  test('idle blocks of other tiers give way, those in the magazine included', async () => {
    const pool = make();
    pool.releaseMany(pool.acquireMany(4 * KiB, 64));
    const lease = await pool.acquireAsync(4 * BLOCK);
    expect(pool.stats()).toMatchObject({ residentBytes: 4 * BLOCK, leasedBytes: 4 * BLOCK });
    expect(pool.stats().drops.exhaustedBytes).toBe(4 * BLOCK);
    lease.release();
    checkBooks(pool);
    pool.close();
  });

  test('many are served, each once, in order, and nothing is lost', async () => {
    const pool = make({ maxBytes: 64 * BLOCK });
    const out = pool.acquireMany(BLOCK, 64);
    const order: number[] = [];
    const asked = Array.from({ length: 2000 }, async (_, i) => {
      const lease = await pool.acquireAsync(BLOCK);
      order.push(i);
      await setImmediate();
      lease.release();
    });
    await settle();
    pool.releaseMany(out);
    await Promise.all(asked);
    expect(order).toEqual(order.map((_, i) => i));
    expect(pool.stats().waits).toMatchObject({ total: 2000, waiting: 0 });
    expect(pool.stats().peak.waiting).toBe(2000);
    expect(pool.outstanding()).toBe(0);
    checkBooks(pool);
    pool.close();
  });

  test('a timeout ends the waiting, of whoever is first too, and the others go on', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const first = pool.acquireAsync(4 * BLOCK, { timeout: 20 });
    const second = pool.acquireAsync(BLOCK, { timeout: 60_000 });
    leases[0].release();
    await expect(first).rejects.toEqual(
      coded('ERR_SLABPOOL_TIMEOUT', /no room for 262144 bytes within 20 ms.*maxBytes/, {
        details: { sizeBytes: 4 * BLOCK, timeoutMs: 20, waiting: 2, outstanding: 3 },
      }),
    );
    await second;
    expect(pool.stats().waits).toMatchObject({ total: 2, waiting: 0, timedOut: 1 });
    checkBooks(pool);
    pool.close();
  });

  test('A5: the queue is bounded: who comes when maxWaiting wait is refused with a code, oversize or not', async () => {
    const pool = make({ maxWaiting: 2 });
    const leases = pool.acquireMany(BLOCK, 4);
    const oversize = pool.acquire(MiB);
    const asked = [BLOCK, BLOCK, MiB, MiB].map((size) => pool.acquireAsync(size));
    for (const size of [KiB, MiB - 1]) {
      await expect(pool.acquireAsync(size)).rejects.toEqual(
        coded('ERR_SLABPOOL_QUEUE_FULL', /2 requests wait already.*maxWaiting is 2/, {
          details: { sizeBytes: size, waiting: 2, maxWaiting: 2 },
        }),
      );
    }
    expect(pool.stats().waits).toMatchObject({ total: 4, waiting: 4 });
    leases.pop()?.release();
    (await asked[0]).release();
    oversize.release();
    (await asked[2]).release();
    for (const lease of await Promise.all([asked[1], asked[3]])) lease.release();
    (await pool.acquireAsync(KiB)).release();
    pool.releaseMany(leases);
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('a maxWaiting of 0: nobody waits', async () => {
    const pool = make({ maxWaiting: 0 });
    const leases = pool.acquireMany(BLOCK, 4);
    await expect(pool.acquireAsync(BLOCK)).rejects.toEqual(coded('ERR_SLABPOOL_QUEUE_FULL'));
    leases[0].release();
    (await pool.acquireAsync(BLOCK)).release();
    pool.close();
  });

  test('a timeout of 0 does not wait at all', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    await expect(pool.acquireAsync(BLOCK, { timeout: 0 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    leases[0].release();
    (await pool.acquireAsync(BLOCK, { timeout: 0 })).release();
    expect(pool.stats().waits.total).toBe(0);
    pool.close();
  });

  test('a signal ends the waiting with its reason, and is let go of', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const { signal, ...controller } = { signal: new AbortController().signal };
    expect(controller).toEqual({});
    const aborter = new AbortController();
    const asked = pool.acquireAsync(BLOCK, { signal: aborter.signal });
    const other = pool.acquireAsync(BLOCK, { signal });
    await settle();
    const reason = new Error('changed my mind');
    aborter.abort(reason);
    await expect(asked).rejects.toBe(reason);
    leases[0].release();
    await other;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(pool.stats().waits).toMatchObject({ total: 2, waiting: 0, aborted: 1 });
    checkBooks(pool);
    pool.close();
  });

  test('C: a signal that a subscriber aborts just before the waiting begins is noticed', async () => {
    const pool = make();
    const held = pool.acquire(BLOCK);
    pool.acquire(4 * KiB).release();
    const aborter = new AbortController();
    const onTrim = () => aborter.abort('meanwhile');
    subscribe('slabpool:trim', onTrim);
    try {
      const { signal } = aborter;
      await expect(pool.acquireAsync(4 * BLOCK, { signal, timeout: 1000 })).rejects.toBe('meanwhile');
    } finally {
      unsubscribe('slabpool:trim', onTrim);
    }
    expect(pool.stats().waits).toMatchObject({ total: 0, waiting: 0 });
    held.release();
    pool.acquire(4 * BLOCK).release();
    pool.close();
  });

  test('C: hundreds of waits on one signal are one listener, and no warning', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const large = pool.acquire(MiB);
    const aborter = new AbortController();
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    const asked = Array.from({ length: 300 }, (_, i) =>
      pool.acquireAsync(i % 3 === 0 ? MiB : BLOCK, { signal: aborter.signal }),
    );
    expect(getEventListeners(aborter.signal, 'abort')).toHaveLength(1);
    leases.pop()?.release();
    (await asked[1]).release();
    await setImmediate();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(getEventListeners(aborter.signal, 'abort')).toHaveLength(1);
    aborter.abort('the end');
    const ended = await Promise.allSettled(asked);
    const rejected = ended.filter((result) => result.status === 'rejected');
    for (const { reason } of rejected) expect(reason).toBe('the end');
    expect(pool.stats().waits).toMatchObject({ total: 300, waiting: 0, aborted: rejected.length });
    expect(rejected.length).toBeGreaterThanOrEqual(200);
    for (const result of ended) if (result.status === 'fulfilled') result.value[Symbol.dispose]();
    pool.releaseMany([...leases, large]);
    expect(pool.outstanding()).toBe(0);
    expect(getEventListeners(aborter.signal, 'abort')).toHaveLength(0);
    checkBooks(pool);
    pool.close();
  });

  test('a signal that was aborted before is answered with its reason, room or not', async () => {
    const pool = make();
    const signal = AbortSignal.abort('never mind');
    await expect(pool.acquireAsync(BLOCK, { signal })).rejects.toBe('never mind');
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });

  test('one that is aborted when it has just been served leaves its block to the next', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const aborter = new AbortController();
    const asked = pool.acquireAsync(BLOCK, { signal: aborter.signal });
    const next = pool.acquireAsync(BLOCK);
    await settle();
    leases[0].release(); // the grant is on its way
    aborter.abort();
    await expect(asked).rejects.toThrow('aborted');
    (await next).release();
    pool.releaseMany(leases.slice(1));
    expect(pool.outstanding()).toBe(0);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, leasedBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  test.each<[string, object | null, RegExp]>([
    ['a negative timeout', { timeout: -1 }, /timeout.*milliseconds.*got -1/],
    ['a timeout of NaN', { timeout: NaN }, /timeout.*got NaN/],
    ['a timeout beyond what timers take', { timeout: 2 ** 31 }, /timeout.*2147483647/],
    ['a timeout of another type', { timeout: '1' }, /timeout.*the string "1"/],
    ['a signal that is none', { signal: {} }, /signal.*an AbortSignal/],
    ['a misspelt option', { timeoutMs: 1 }, /no option 'timeoutMs': expected only signal, timeout/],
    ['options that are none', null, /an object with none but the options signal, timeout, got null/],
  ])('refuses %s, room or not', async (_, options, message) => {
    const pool = make();
    const expected = coded('ERR_SLABPOOL_INVALID_ARG', message);
    await expect(pool.acquireAsync(1, options as never)).rejects.toEqual(expected);
    const leases = pool.acquireMany(BLOCK, 4);
    await expect(pool.acquireAsync(1, options as never)).rejects.toEqual(expected);
    pool.releaseMany(leases);
    expect(pool.stats().waits.total).toBe(0);
    pool.close();
  });

  test.each([-1, 1.5, NaN, '1', undefined, null, {}, 2n, Infinity])('refuses the size %s', async (size) => {
    const pool = make();
    await expect(pool.acquireAsync(size as never)).rejects.toEqual(coded('ERR_SLABPOOL_INVALID_ARG', /acquireAsync/));
    pool.close();
  });

  test('closing the pool rejects those who wait, each with its code', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const oversize = await pool.acquireAsync(MiB);
    const asked = [pool.acquireAsync(BLOCK), pool.acquireAsync(KiB, { timeout: 1000 }), pool.acquireAsync(MiB)];
    await settle();
    pool.close();
    for (const result of await Promise.allSettled(asked)) {
      expect(result).toEqual({ status: 'rejected', reason: coded('ERR_SLABPOOL_CLOSED') });
    }
    await expect(pool.acquireAsync(1)).rejects.toEqual(coded('ERR_SLABPOOL_CLOSED'));
    for (const lease of [...leases, oversize]) lease[Symbol.dispose]();
  });

  test('zeroes on acquire, also what was waited for', async () => {
    const pool = make({ zero: 'acquire' });
    const leases = pool.acquireMany(BLOCK, 4);
    for (const { bytes } of leases) bytes.fill(1);
    const asked = pool.acquireAsync(BLOCK);
    await settle();
    leases[0].release();
    expect((await asked).bytes.every((byte) => byte === 0)).toBe(true);
    pool.close();
  });

  test('oversize requests wait for room of their own, in order', async () => {
    const pool = make();
    const first = pool.acquire(MiB - 1);
    const { served, ask, release } = queue(pool);
    const asked = [ask('a', MiB), ask('b', 300 * KiB), ask('c', 300 * KiB)];
    await settle();
    expect(served).toEqual([]);
    expect(pool.stats().waits).toMatchObject({ total: 3, waiting: 3 });
    await expect(pool.acquireAsync(300 * KiB, { timeout: 5 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    await expect(pool.acquireAsync(MiB + 1)).rejects.toEqual(coded('ERR_SLABPOOL_OVERSIZE'));
    first.release();
    await settle();
    expect(served).toEqual(['a']);
    release('a');
    await Promise.all(asked);
    expect(served).toEqual(['a', 'b', 'c']);
    expect(pool.stats().oversize).toMatchObject({ outstanding: 2, leasedBytes: 600 * KiB });
    checkBooks(pool);
    pool.close();
  });

  test('borrowAsync() waits for its lease, and always answers with a promise', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const lent = pool.borrowAsync(BLOCK, ({ size }) => size);
    expectTypeOf(lent).toEqualTypeOf<Promise<number>>();
    const failed = pool.borrowAsync(BLOCK, async () => Promise.reject(new Error('of its own')));
    leases.pop()?.release();
    expect(await lent).toBe(BLOCK);
    await expect(failed).rejects.toThrow('of its own');
    leases.push(pool.acquire(BLOCK));
    const later = pool.borrowAsync(BLOCK, async ({ bytes }) => bytes.length, { timeout: 60_000 });
    expectTypeOf(later).toEqualTypeOf<Promise<number>>();
    expectTypeOf(pool.borrow<number>).returns.toEqualTypeOf<number>();
    leases.pop()?.release();
    expect(await later).toBe(BLOCK);
    pool.releaseMany(leases);
    expect(pool.outstanding()).toBe(0);
    checkBooks(pool);
    pool.close();
  });

  test('borrowAsync() gives up as acquireAsync() does, and does not call its function then', async () => {
    const pool = make();
    const leases = pool.acquireMany(BLOCK, 4);
    const never = () => expect.unreachable();
    await expect(pool.borrowAsync(BLOCK, never, { timeout: 5 })).rejects.toEqual(coded('ERR_SLABPOOL_TIMEOUT'));
    const aborter = new AbortController();
    const aborted = pool.borrowAsync(BLOCK, never, { signal: aborter.signal });
    aborter.abort('changed my mind');
    await expect(aborted).rejects.toBe('changed my mind');
    const invalid = coded('ERR_SLABPOOL_INVALID_ARG', /borrowAsync\(size, fn, options\)/);
    await expect(pool.borrowAsync(BLOCK, 1 as never)).rejects.toEqual(invalid);
    await expect(pool.borrowAsync(-1, never)).rejects.toEqual(invalid);
    await expect(pool.borrowAsync(BLOCK, never, { timeoutMs: 5 } as never)).rejects.toEqual(invalid);
    pool.releaseMany(leases);
    await expect(pool.borrowAsync(BLOCK, ({ bytes }) => bytes)).rejects.toEqual(coded('ERR_SLABPOOL_BORROWED'));
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });
});
