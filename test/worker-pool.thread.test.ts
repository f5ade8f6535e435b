import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Lease } from '../dist/lease/lease.js';
import { coded, KiB, MiB } from './backends.js';
import { fixture } from './child.js';
import { filled, Gate, makeWorkers, nothingOut } from './workers.js';

describe('leases of a task and of its result', () => {
  test('a property of the task: the bytes are those that were written, the lease has ended', async () => {
    const { pool, workers } = makeWorkers();
    const input = filled(pool, 1000, 3);
    const result = workers.run({ input, other: 'x' });
    expect(input.released).toBe(true);
    expect(await result).toBe(3000);
    expect(pool.outstanding()).toBe(0);
  });

  const asProto = (lease: Lease) =>
    JSON.parse('{"__proto__":1}', (key, value) => (key === '__proto__' ? lease : value));
  const own = (echo: object, key: string) => Object.getOwnPropertyDescriptor(echo, key)?.value;
  test.each([
    ['the task itself', (lease: Lease): unknown => lease, (echo: object) => echo],
    ['an element of an array', (lease: Lease) => [1, lease, 'x'], (echo: object) => own(echo, '1')],
    ['a property', (lease: Lease) => ({ a: 1, lease, z: [2] }), (echo: object) => own(echo, 'lease')],
    ['a property named __proto__', asProto, (echo: object) => own(echo, '__proto__')],
    [
      'a property of an object without a prototype',
      (lease: Lease) => Object.assign(Object.create(null), { lease }),
      (echo: object) => own(echo, 'lease'),
    ],
  ] as const)('there and back as %s, without a copy', async (_, pack, find) => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool, 5000, 9);
    const { buffer } = lease;
    const task = pack(lease);
    const copy = Array.isArray(task) ? [...task] : task;
    const echo = await workers.run(task, { name: 'echo' });
    expect(task).toEqual(copy);
    const back: Lease = find(echo);
    expect([back.size, back.view().equals(Buffer.alloc(5000, 9)), back.buffer === buffer]).toEqual([5000, true, true]);
    expect(pool.outstanding()).toBe(1);
    back.release();
  });

  test('the keys of task and result keep their order, and leases their places', async () => {
    const { pool, workers } = makeWorkers();
    const echo = await workers.run({ z: 1, b: filled(pool), a: 2, c: filled(pool, 100, 5) }, { name: 'echo' });
    expect(Object.keys(echo)).toEqual(['z', 'b', 'a', 'c']);
    expect([echo.b.bytes[0], echo.c.bytes[0], echo.c.size]).toEqual([1, 5, 100]);
    echo.b.release();
    echo.c.release();
  });

  test('a task without leases is cloned as it is', async () => {
    const { workers } = makeWorkers();
    const task = { date: new Date(5), map: new Map([[1, { deep: [2] }]]), nothing: undefined };
    expect(await workers.run(task, { name: 'echo' })).toEqual(task);
    expect(await workers.run(undefined, { name: 'echo' })).toBe(undefined);
    expect(await workers.run(7, { name: 'echo' })).toBe(7);
    expect(await workers.run(new Set([1]), { name: 'echo' })).toEqual(new Set([1]));
  });

  test('a lease that the thread has acquired comes to this one', async () => {
    const { pool, workers } = makeWorkers();
    const { lease, size } = await workers.run(100 * KiB, { name: 'make' });
    expect(lease).toBeInstanceOf(Lease);
    expect([size, lease.size, lease.bytes[99 * KiB]]).toEqual([100 * KiB, 100 * KiB, 7]);
    pool.release(lease);
  });

  test('what the function has not released is released when it has ended, also where it throws', async () => {
    const { pool, workers } = makeWorkers();
    await workers.run([filled(pool), filled(pool)], { name: 'plain' });
    await expect(workers.run({ how: 'code', lease: filled(pool) }, { name: 'fail' })).rejects.toThrow(RangeError);
    expect(await workers.run([], { name: 'keeps' })).toBe(0);
    await nothingOut(pool);
  });

  test('through a CommonJS file', async () => {
    const { pool, workers } = makeWorkers({ filename: fixture('workers/jobs.cjs') });
    expect(await workers.run({ input: filled(pool, 123) })).toBe(123);
  });

  test('a thousand jobs, more than the budget has room for at once', async () => {
    const { pool, workers } = makeWorkers({}, { maxBytes: MiB });
    let total = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let i = 0; i < 50; i++) {
          const input = await pool.acquireAsync(64 * KiB);
          input.bytes.fill(0).fill(1, 0, 100);
          const sum = await workers.run({ input });
          total += sum;
        }
      }),
    );
    expect(total).toBe(100_000);
    expect(workers.stats()).toMatchObject({ jobs: 1000, completed: 1000, queued: 0, running: 0, deaths: 0 });
  });
});

describe('the turns of jobs', () => {
  test('first come, first served, one at a time for each thread', async () => {
    const { workers } = makeWorkers({ maxThreads: 1 });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => workers.run(i, { name: 'echo' }).then((n) => order.push(n))),
    );
    expect(order).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test('as many at once as there are threads, also from the first job on', async () => {
    const { workers } = makeWorkers({ maxThreads: 3 });
    const gates = [new Gate(), new Gate(), new Gate()];
    const jobs = gates.map(({ words }) => workers.run({ gate: words }, { name: 'wait' }));
    await Promise.all(gates.map((gate) => gate.begun()));
    expect(workers.stats()).toMatchObject({ threads: 3, running: 3, queued: 0 });
    for (const gate of gates) gate.open();
    expect(new Set(await Promise.all(jobs)).size).toBe(3);
  });

  test('twenty thousand that wait are served, none lost', async () => {
    const { pool, workers } = makeWorkers();
    const gate = new Gate();
    const held = [new Gate(), gate].map(({ words }) => workers.run({ gate: words }, { name: 'wait' }));
    await gate.begun();
    const many = Array.from({ length: 20_000 }, (_, i) => workers.run(i, { name: 'echo' }));
    expect(workers.stats()).toMatchObject({ queued: 20_000, running: 2 });
    gate.open();
    const results = await Promise.all(many);
    expect(results.every((result, i) => result === i)).toBe(true);
    const cut = expect(held[0]).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await expect(workers.close({ timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    await cut;
    await nothingOut(pool);
  });

  test('timeout: gives up waiting, withdraws the job and releases its leases; a job that runs is left alone', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait', timeout: 1 });
    await gate.begun();
    const lease = filled(pool);
    await expect(workers.run({ input: lease }, { timeout: 10 })).rejects.toThrow(
      coded('ERR_SLABPOOL_TIMEOUT', /no thread was free within 10 ms: 1 run, 1 wait for a thread\. .*maxThreads/, {
        details: { timeoutMs: 10, running: 1, queued: 1 },
      }),
    );
    expect(lease.released).toBe(true);
    expect(pool.stats()).toMatchObject({ outstanding: 0, inFlightBytes: 0 });
    gate.open();
    await held;
    expect(workers.stats()).toMatchObject({ jobs: 2, completed: 1, timedOut: 1 });
  });

  test('timeout 0: at once or not at all; what is refused has kept its lease', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait', timeout: 0 });
    const lease = filled(pool);
    await expect(workers.run({ input: lease }, { timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    expect(lease.released).toBe(false);
    await gate.begun();
    gate.open();
    await held;
    expect(await workers.run({ input: lease }, { timeout: 0 })).toBe(4 * KiB);
  });

  test('a signal that is aborted before: nothing is taken', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    const reason = new Error('before');
    await expect(workers.run({ input: lease }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(workers.stats().jobs).toBe(0);
    lease.release();
  });

  test('a signal that is aborted while the job waits withdraws it', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait' });
    await gate.begun();
    const abort = new AbortController();
    const waiting = workers.run({ input: filled(pool) }, { signal: abort.signal });
    const behind = workers.run({ input: filled(pool) });
    abort.abort(new Error('not any more'));
    await expect(waiting).rejects.toThrow('not any more');
    gate.open();
    await held;
    expect(await behind).toBe(4 * KiB);
    expect(workers.stats()).toMatchObject({ jobs: 3, completed: 2, aborted: 1 });
  });

  test('a signal that is aborted while the job runs ends its thread; the next job has another', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const abort = new AbortController();
    const running = workers.run({ gate: gate.words, lease: filled(pool) }, { name: 'wait', signal: abort.signal });
    await gate.begun();
    const next = workers.run({ input: filled(pool) });
    abort.abort();
    await expect(running).rejects.toMatchObject({ name: 'AbortError' });
    expect(await next).toBe(4 * KiB);
    expect(workers.stats()).toMatchObject({ jobs: 2, completed: 1, aborted: 1, failed: 0, deaths: 0, threads: 1 });
    await nothingOut(pool);
  });

  test('a signal that is aborted while the first thread starts', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const abort = new AbortController();
    const first = workers.run({ input: filled(pool) }, { signal: abort.signal });
    abort.abort();
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect(pool.stats().inFlightBytes).toBe(0);
    expect(await workers.run({ input: filled(pool) })).toBe(4 * KiB);
  });

  test("a signal that is aborted in the moment when it is the job's turn, or its result is there", async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    for (let i = 0; i < 30; i++) {
      const abort = new AbortController();
      const one = workers.run({ input: filled(pool) });
      const two = workers.run(filled(pool), { name: 'echo', signal: abort.signal });
      void one.then(() => (i % 3 === 0 ? abort.abort() : queueMicrotask(() => abort.abort())));
      const outcome = await two.then(
        (lease) => lease.release(),
        (error) => error.name,
      );
      expect([undefined, 'AbortError']).toContain(outcome);
    }
    const { jobs, completed, aborted, failed } = workers.stats();
    expect([jobs, completed + aborted, failed]).toEqual([60, 60, 0]);
    await nothingOut(pool);
  });

  test('one signal for many jobs is listened to once', async () => {
    const { workers } = makeWorkers();
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener;
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add.apply(signal, args);
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => workers.run(i, { name: 'echo', signal })));
    expect(listeners).toBeLessThan(10);
  });
});

describe('ready()', () => {
  test('waits while as many jobs wait as maxQueue says; first come, first served', async () => {
    const { workers } = makeWorkers({ maxThreads: 1, maxQueue: 2 });
    const gate = new Gate();
    const jobs = [workers.run({ gate: gate.words }, { name: 'wait' })];
    for (let i = 0; i < 2; i++) {
      await workers.ready({ timeout: 0 });
      jobs.push(workers.run(i, { name: 'echo' }));
    }
    const order: string[] = [];
    const a = workers.ready().then(() => order.push('a'));
    const b = workers.ready().then(() => order.push('b'));
    await expect(workers.ready({ timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    await expect(workers.ready({ timeout: 5 })).rejects.toThrow(
      coded('ERR_SLABPOOL_TIMEOUT', /the queue had no room within 5 ms/),
    );
    await expect(workers.ready({ signal: AbortSignal.timeout(5) })).rejects.toMatchObject({ name: 'TimeoutError' });
    expect(workers.stats()).toMatchObject({ queued: 2, producersWaiting: 2 });
    await gate.begun();
    gate.open();
    await Promise.all([...jobs, a, b]);
    expect(order).toEqual(['a', 'b']);
  });

  test('a producer that awaits it keeps no more than maxQueue waiting', async () => {
    const { workers } = makeWorkers({ maxQueue: 3 });
    let most = 0;
    const jobs: Promise<unknown>[] = [];
    for (let i = 0; i < 200; i++) {
      await workers.ready();
      jobs.push(workers.run(i, { name: 'echo' }));
      most = Math.max(most, workers.stats().queued);
    }
    await Promise.all(jobs);
    expect(most).toBe(3);
  });
});

describe('close()', () => {
  test('refuses new jobs, and waits for those that there are', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait' });
    const behind = workers.run({ input: filled(pool) });
    const closed = workers.close();
    await expect(workers.run(1)).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED', /the worker pool was closed/));
    await expect(workers.ready()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(workers.stats()).toMatchObject({ running: 1, queued: 1 });
    await gate.begun();
    gate.open();
    expect([await held, await behind, await closed]).toEqual([expect.any(Number), 4 * KiB, undefined]);
    expect(() => workers.stats()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await workers.close();
    expect(pool.outstanding()).toBe(0);
  });

  test('refuses producers that wait', async () => {
    const { workers } = makeWorkers({ maxThreads: 1, maxQueue: 1 });
    const gate = new Gate();
    const jobs = [workers.run({ gate: gate.words }, { name: 'wait' }), workers.run(1, { name: 'echo' })];
    const producer = workers.ready();
    const closed = workers.close();
    await expect(producer).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await gate.begun();
    gate.open();
    await Promise.all([...jobs, closed]);
  });

  test.each([0, 20])('cuts off what has not ended within %i ms', async (timeout) => {
    const { pool, workers } = makeWorkers({ maxThreads: 2 });
    const gates = [new Gate(), new Gate()];
    const jobs = gates.map(({ words }) => workers.run({ gate: words, lease: filled(pool) }, { name: 'wait' }));
    await Promise.all(gates.map((gate) => gate.begun()));
    jobs.push(workers.run({ input: filled(pool) }), workers.run({ input: filled(pool) }));
    const outcomes = Promise.allSettled(jobs);
    await expect(workers.close({ timeout })).rejects.toThrow(
      coded('ERR_SLABPOOL_TIMEOUT', /not all jobs had ended within \d+ ms: 2 run, 2 wait .* they were cut off/),
    );
    const cut = { status: 'rejected', reason: coded('ERR_SLABPOOL_CLOSED', /had not ended in time/) };
    expect(await outcomes).toEqual([cut, cut, cut, cut]);
    await nothingOut(pool);
  });

  test('cuts off jobs whose thread is still starting', async () => {
    const { pool, workers } = makeWorkers();
    const jobs = Promise.allSettled([1, 2, 3].map(() => workers.run({ input: filled(pool) })));
    await expect(workers.close({ timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    expect((await jobs).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    await nothingOut(pool);
  });

  test('a later call may have less time', async () => {
    const { workers } = makeWorkers({ maxThreads: 1 });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait' });
    await gate.begun();
    const patient = workers.close();
    const outcome = expect(held).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await expect(workers.close({ timeout: 5 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    await Promise.all([patient, outcome]);
  });

  test('a signal cuts off as well', async () => {
    const { workers } = makeWorkers({ maxThreads: 1 });
    for (const early of [false, true]) {
      const { workers: own } = early ? { workers } : makeWorkers({ maxThreads: 1 });
      const gate = new Gate();
      const held = expect(own.run({ gate: gate.words }, { name: 'wait' })).rejects.toThrow(
        coded('ERR_SLABPOOL_CLOSED'),
      );
      await gate.begun();
      const abort = new AbortController();
      if (early) abort.abort(new Error('cut'));
      const closed = expect(own.close({ signal: abort.signal })).rejects.toThrow('cut');
      abort.abort(new Error('cut'));
      await Promise.all([held, closed]);
    }
  });

  test('a limit that is reached when nothing is left is none', async () => {
    const { workers } = makeWorkers();
    await workers.run(1, { name: 'echo' });
    await workers.close({ timeout: 0 });
    await workers.close({ signal: AbortSignal.abort() });
  });

  test('from the handlers of its own jobs', async () => {
    const { workers } = makeWorkers();
    await workers.run(1, { name: 'echo' }).then(() => workers.close());
    await expect(workers.run(1)).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('await using', async () => {
    const { workers } = makeWorkers();
    {
      await using same = workers;
      void same.run(1, { name: 'echo' });
    }
    expect(() => workers.stats()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('without ever having had a job', async () => {
    const { workers } = makeWorkers();
    await workers.close();
  });
});

describe('threads', () => {
  test('there are none before the first job, unless minThreads says so', async () => {
    expect(makeWorkers().workers.stats().threads).toBe(0);
    expect(makeWorkers({ minThreads: 2 }).workers.stats().threads).toBe(2);
  });

  test('idle ones are ended', async () => {
    const { workers } = makeWorkers({ idleTimeoutMs: 1 });
    await Promise.all([1, 2, 3, 4].map((i) => workers.run(i, { name: 'echo' })));
    while (workers.stats().threads > 0) await setTimeout(2);
    expect(await workers.run(5, { name: 'echo' })).toBe(5);
    expect(workers.stats().deaths).toBe(0);
  });

  test('hear of whoever waits for budget while they are idle', async () => {
    // A thread's magazine keeps what it has released; the whole budget, here.
    const { pool, workers } = makeWorkers(
      { maxThreads: 1 },
      { maxBytes: 256 * KiB, epochMs: 2 ** 30, tiers: [16 * KiB, 256 * KiB] },
    );
    await workers.run(pool.acquireMany(16 * KiB, 16), { name: 'plain' });
    const large = await pool.acquireAsync(256 * KiB, { timeout: 20_000 });
    large.release();
  });

  test('stats(): jobs == queued + running + completed + failed + timedOut + aborted, and durations', async () => {
    const { workers } = makeWorkers({ name: 'counted', maxThreads: 1 });
    expect(workers.name).toBe('counted');
    const none = { mean: 0, p50: 0, p99: 0, max: 0 };
    expect(workers.stats()).toMatchObject({
      kind: 'worker',
      name: 'counted',
      utilization: 0,
      waitMs: none,
      runMs: none,
    });
    const gate = new Gate();
    const held = workers.run({ gate: gate.words }, { name: 'wait' });
    const outcomes = Promise.allSettled([
      workers.run(1, { timeout: 1 }),
      workers.run(1, { signal: AbortSignal.timeout(1) }),
      workers.run({ how: 'code' }, { name: 'fail' }),
      workers.run(1, { name: 'echo' }),
    ]);
    await gate.begun();
    await setTimeout(5);
    gate.open();
    await Promise.all([held, outcomes]);
    const stats = workers.stats();
    expect(stats).toMatchObject({ jobs: 5, completed: 2, failed: 1, timedOut: 1, aborted: 1, queued: 0, running: 0 });
    for (const { mean, p50, p99, max } of [stats.waitMs, stats.runMs]) {
      expect(mean).toBeGreaterThan(0);
      expect(max).toBeGreaterThanOrEqual(p99);
      expect(p99).toBeGreaterThanOrEqual(p50);
    }
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats);
  });
});
