import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { coded, KiB, MiB } from './backends.js';
import { fixture } from './child.js';
import { filled, Gate, makeWorkers, nothingOut } from './workers.js';

const died = (message: RegExp) => coded('ERR_SLABPOOL_WORKER_DIED', message);

describe('a job that fails', () => {
  test('by an error: with its message, cause and code, and the thread lives on', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const before = await workers.run({ gate: opened() }, { name: 'wait' });
    await expect(workers.run({ how: 'code', input: filled(pool) }, { name: 'fail' })).rejects.toMatchObject({
      name: 'RangeError',
      message: 'expected by the test',
      code: 'E_EXPECTED',
    });
    expect(await workers.run({ gate: opened() }, { name: 'wait' })).toBe(before);
    expect(workers.stats()).toMatchObject({ failed: 1, completed: 2, deaths: 0 });
    await nothingOut(pool);
  });

  test.each([
    ['uncloneable', 'has a function'],
    ['symbol', 'symbol'],
  ])('by what cannot be cloned, %s', async (how, message) => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run({ how, input: filled(pool) }, { name: 'fail' })).rejects.toThrow(message);
    expect(workers.stats().deaths).toBe(0);
  });

  test('by undefined', async () => {
    const { workers } = makeWorkers();
    const reason = await workers.run({ how: 'nothing' }, { name: 'fail' }).then(
      () => 'resolved',
      (error) => error,
    );
    expect(reason).toBe(undefined);
  });

  test('by an error of the pool in its thread: with its code', async () => {
    const { workers } = makeWorkers({}, { maxBytes: 64 * KiB });
    await expect(workers.run(MiB, { name: 'make' })).rejects.toMatchObject({ code: 'ERR_SLABPOOL_OVERSIZE' });
  });

  test('since its thread has closed the pool', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    await workers.run(null, { name: 'closes' });
    await expect(workers.run({ input: filled(pool) })).rejects.toMatchObject({ code: 'ERR_SLABPOOL_CLOSED' });
    await nothingOut(pool);
  });
});

describe('a thread that dies', () => {
  test.each(['exit', 'exitNow'])('with its job, by process.exit() (%s)', async (name) => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const doomed = workers.run([filled(pool), filled(pool)], { name });
    const next = workers.run({ input: filled(pool) });
    await expect(doomed).rejects.toThrow(died(/the thread died that had the job: worker exited with code: 3/));
    expect(await next).toBe(4 * KiB);
    expect(workers.stats()).toMatchObject({ jobs: 2, completed: 1, failed: 1, deaths: 1, threads: 1 });
    await nothingOut(pool);
  });

  test('by an error that its job has left behind, while it has another job', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const end = new Gate();
    await workers.run({ gate: end.words }, { name: 'later' });
    const gate = new Gate();
    const next = workers.run({ gate: gate.words, lease: filled(pool) }, { name: 'waitTurning' });
    await gate.begun();
    end.open();
    await expect(next).rejects.toThrow(died(/after its job/));
    await nothingOut(pool);
    await workers.close();
  });

  test('between jobs: nobody can be told but who closes the pool', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const end = new Gate();
    await workers.run({ gate: end.words }, { name: 'later' });
    end.open();
    while (workers.stats().deaths === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    expect(await workers.run({ input: filled(pool) })).toBe(4 * KiB);
    await expect(workers.close()).rejects.toThrow(died(/a thread died between jobs: after its job/));
    await expect(workers.close()).rejects.toThrow(died(/a thread died between jobs: after its job/));
    await nothingOut(pool);
  });

  test.each(['exit', 'error'])(
    'right after its job, by %s: leases of a result that nobody has read are back',
    async (how) => {
      const { pool, workers } = makeWorkers({ maxThreads: 2 }, { maxBytes: MiB });
      for (let round = 0; round < 10; round++) {
        const jobs = Promise.allSettled([1, 2, 3, 4].map(() => workers.run({ how }, { name: 'lastWords' })));
        // Late enough for the threads to be gone when this one looks.
        const until = performance.now() + 20 * (round % 3);
        await new Promise(setImmediate);
        while (performance.now() < until);
        for (const outcome of await jobs) {
          if (outcome.status === 'fulfilled') for (const lease of outcome.value) lease.release();
          else expect(outcome.reason).toEqual(died(/./));
        }
      }
      await nothingOut(pool);
    },
  );

  test('since its result cannot be cloned: no ticket is lost', async () => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run({ input: filled(pool) }, { name: 'uncloneable' })).rejects.toThrow(
      died(/had the job: .*cannot be cloned|had the job: .*could not be cloned/),
    );
    await nothingOut(pool);
  });

  test('not: a result with a function is told to the caller', async () => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run({ input: filled(pool) }, { name: 'method' })).rejects.toMatchObject({
      code: 'ERR_SLABPOOL_INVALID_ARG',
      message: "job(fn), fn's result, 'fn': expected what can be cloned, got a function",
    });
    expect(workers.stats()).toMatchObject({ deaths: 0, failed: 1 });
    await nothingOut(pool);
  });

  test('again and again: every block is back', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 2 }, { maxBytes: 8 * MiB });
    const outcomes = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const lease = await pool.acquireAsync(64 * KiB);
        const name = ['exit', 'echo', 'uncloneable'][i % 3] as string;
        return workers.run({ input: lease }, { name }).then(
          ({ input }) => input.release(),
          (error) => error.code,
        );
      }),
    );
    expect(outcomes.filter((code) => code === 'ERR_SLABPOOL_WORKER_DIED')).toHaveLength(20);
    expect(workers.stats()).toMatchObject({ jobs: 30, completed: 10, failed: 20, deaths: 20 });
    await nothingOut(pool);
  });

  test('threads that are aborted all the time: every block is back, every job is settled', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 2 }, { maxBytes: MiB });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 40 }, async (_, i) => {
        const lease = await pool.acquireAsync(64 * KiB);
        const signal = i % 2 === 0 ? AbortSignal.timeout((i * 7) % 20) : undefined;
        const result = await workers.run({ input: lease, i }, { name: 'echo', ...(signal && { signal }) });
        result.input.release();
      }),
    );
    expect(outcomes.filter(({ status }, i) => i % 2 === 1 && status === 'rejected')).toEqual([]);
    const { jobs, completed, aborted, failed } = workers.stats();
    expect([completed + aborted, failed]).toEqual([jobs, 0]);
    await nothingOut(pool);
  });
});

describe('threads that do not start', () => {
  test.each([
    ['throws.mjs', /no thread can be started with .*throws\.mjs: does not load/],
    ['exits.mjs', /no thread can be started with .*exits\.mjs: they end before they are ready/],
    ['is-not-there.mjs', /no thread can be started with .*is-not-there\.mjs: Cannot find module/],
  ])('%s: each job is told', async (file, message) => {
    const { pool, workers } = makeWorkers({ filename: fixture(`workers/${file}`) });
    for (let i = 0; i < 2; i++) {
      const jobs = [1, 2, 3].map(() => workers.run({ input: filled(pool) }));
      for (const job of await Promise.allSettled(jobs)) expect(job).toMatchObject({ reason: died(message) });
    }
    expect(workers.stats()).toMatchObject({ jobs: 6, failed: 6, running: 0, queued: 0 });
    await workers.close();
    await nothingOut(pool);
  });

  test('with minThreads: the jobs are told, or who closes the pool', async () => {
    const { pool, workers } = makeWorkers({ filename: fixture('workers/throws.mjs'), minThreads: 2 });
    const reason = await workers.run({ input: filled(pool) }).catch((error) => error);
    expect(reason).toEqual(died(/does not load/));
    await workers.close().catch((error) => expect(error).toEqual(died(/does not load/)));
    await nothingOut(pool);
  });
});

describe('the wrong file', () => {
  test('an export that there is not', async () => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run({ input: filled(pool) }, { name: 'none' })).rejects.toThrow(/none|handler/);
    await nothingOut(pool);
    expect(workers.stats()).toMatchObject({ failed: 1, deaths: 0 });
  });

  test('an export that job() has not made', async () => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run({ input: filled(pool) }, { name: 'ordinary' })).rejects.toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /jobs\.mjs: expected exports that are made with job\(\) of 'slabpool\/worker'/),
    );
    await nothingOut(pool);
  });
});

test('the BufferPool closed under it: results with leases are refused, others are not', async () => {
  const { pool, workers } = makeWorkers({ filename: pathToFileURL(fixture('workers/jobs.mjs')) });
  const gate = new Gate();
  const held = workers.run({ gate: gate.words }, { name: 'wait' });
  await gate.begun();
  const doubled = workers.run(filled(pool), { name: 'echo' });
  const queued = expect(doubled).rejects.toMatchObject({ code: 'ERR_SLABPOOL_CLOSED' });
  pool.close();
  gate.open();
  expect(await held).toEqual(expect.any(Number));
  await queued;
  await expect(workers.run({ input: 1 }, { name: 'plain' })).resolves.toBe('{"input":1}');
});

function opened(): Int32Array {
  const gate = new Gate();
  gate.open();
  return gate.words;
}
