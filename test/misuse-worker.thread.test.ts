import { BufferPool, type Lease } from 'slabpool';
import { job, WorkerPool, type WorkerPoolOptions } from 'slabpool/worker';
import { describe, expect, test } from 'vitest';
import { checkBooks, coded, detach, KiB, MiB } from './backends.js';
import { filled, JOBS, makeWorkers, nothingOut } from './workers.js';

const invalid = (message: RegExp) => coded('ERR_SLABPOOL_INVALID_ARG', message);

describe('options that are wrong', () => {
  const pool = new BufferPool({ name: 'theirs', backend: 'native' });
  const make = (options: unknown) => () => new WorkerPool(options as WorkerPoolOptions);

  test.each([[undefined], [null], [7], ['file'], [[]], [() => {}]])('%s instead of an object', (options) => {
    expect(make(options)).toThrow(invalid(/new WorkerPool\(options\): expected an object with .*filename.*pool.* got/));
  });

  test.each(['threads', 'maxthreads', 'file', 'idleTimeout', 'concurrentTasksPerWorker'])('misspelt: %s', (key) => {
    expect(make({ filename: JOBS, pool, [key]: 1 })).toThrow(
      invalid(new RegExp(`there is no option '${key}': expected only name, filename, pool, maxThreads`)),
    );
  });

  test.each([
    ['filename', undefined, /'filename': expected an absolute path, or a 'file:' URL, got undefined/],
    ['filename', 'worker.js', /'filename': .* got the string "worker.js"/],
    ['filename', './worker.js', /'filename'/],
    ['filename', '', /'filename'/],
    ['filename', 'https://x.example/worker.js', /'filename'/],
    ['filename', new URL('https://x.example/worker.js'), /'filename': .* got an object of class URL/],
    ['filename', 'file://x.example/%2F', /'filename'/],
    ['filename', 7, /'filename'/],
    ['pool', undefined, /'pool': expected a BufferPool, got undefined/],
    ['pool', {}, /'pool': expected a BufferPool, got an object of class Object/],
    ['pool', pool.handle, /'pool'/],
    ['name', '', /'name': expected a non-empty string/],
    ['maxThreads', 0, /'maxThreads': expected an integer of 1 to 1024 \(threads\), got 0/],
    ['maxThreads', 1.5, /'maxThreads'/],
    ['maxThreads', 1025, /'maxThreads'/],
    ['maxThreads', Infinity, /'maxThreads'/],
    ['maxThreads', '2', /'maxThreads'/],
    ['minThreads', 3, /'minThreads': expected an integer of 0 to 2 \(threads\), got 3/],
    ['minThreads', -1, /'minThreads'/],
    ['maxQueue', 0, /'maxQueue': expected an integer of 1 to 1048576 \(jobs\), got 0/],
    ['maxQueue', 'auto', /'maxQueue'/],
    ['idleTimeoutMs', -1, /'idleTimeoutMs': expected an integer of 0 to 2147483647 \(milliseconds\), got -1/],
    ['idleTimeoutMs', 2 ** 31, /'idleTimeoutMs'/],
  ] as const)('%s: %s', (key, value, message) => {
    expect(make({ filename: JOBS, pool, maxThreads: 2, [key]: value })).toThrow(invalid(message));
  });

  test('a pool on the TypeScript core, and one that is closed', () => {
    const js = new BufferPool({ backend: 'js' });
    expect(make({ filename: JOBS, pool: js })).toThrow(
      coded('ERR_SLABPOOL_BACKEND', /only the native core can be shared between threads/),
    );
    js.close();
    const closed = new BufferPool({ backend: 'native' });
    closed.close();
    expect(make({ filename: JOBS, pool: closed })).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test.each([
    [null, /run\(task, options\): expected an object with none but the options signal, timeout, name/],
    [{ transferList: [] }, /there is no option 'transferList'/],
    [{ name: 7 }, /option 'name': expected the name of an export, got 7/],
    [{ timeout: -1 }, /option 'timeout'/],
    [{ timeout: '5' }, /option 'timeout'/],
    [{ signal: {} }, /option 'signal': expected an AbortSignal/],
  ])("run() with %j: refused, and the lease is still the caller's", async (options, message) => {
    const { pool: own, workers } = makeWorkers();
    const lease = filled(own);
    await expect(workers.run({ input: lease }, options as never)).rejects.toThrow(invalid(message));
    expect(lease.released).toBe(false);
    lease.release();
  });

  test.each([
    ['ready', { name: 'x' }, /ready\(options\): there is no option 'name'/],
    ['close', { force: true }, /close\(options\): there is no option 'force'/],
    ['close', { timeout: NaN }, /close\(options\), option 'timeout'/],
  ] as const)('%s() with %j', async (method, options, message) => {
    const { workers } = makeWorkers();
    await expect(workers[method](options as never)).rejects.toThrow(invalid(message));
    expect(workers.stats().jobs).toBe(0);
  });

  test.each([[undefined], [null], [{}], ['fn']])('job(%s)', (fn) => {
    expect(() => job(fn as never)).toThrow(invalid(/job\(fn\): expected a function, got/));
  });

  test('what job() has made, called by somebody else', async () => {
    const made = job(() => 1);
    await expect(made({ input: 1 })).rejects.toThrow(invalid(/job\(fn\): expected to be called by a WorkerPool/));
    const message = { slabpool: 'task', withdrawn: false, value: 1, places: [], tickets: [] };
    expect(await made(message)).toMatchObject({ slabpool: 'thrown', code: 'ERR_SLABPOOL_BACKEND' });
  });
});

describe("leases that cannot travel: refused, and all of the task are still the caller's", () => {
  const foreign = new BufferPool({ name: 'foreign', backend: 'native' });
  const refusals: [string, (pool: BufferPool) => Lease, string][] = [
    ['of another pool', () => foreign.acquire(100), 'ERR_SLABPOOL_FOREIGN_LEASE'],
    ['shared', (pool) => shared(pool), 'ERR_SLABPOOL_SHARED'],
    ['oversize', (pool) => pool.acquire(2 * MiB), 'ERR_SLABPOOL_OVERSIZE'],
    ['behind a Proxy', (pool) => proxied(pool), 'ERR_SLABPOOL_INVALID_ARG'],
  ];
  const out: Lease[] = [];
  const shared = (pool: BufferPool) => {
    const lease = pool.acquire(1);
    out.push(lease.retain());
    return lease;
  };

  const proxied = (pool: BufferPool) => {
    const lease = pool.acquire(1);
    out.push(lease);
    return new Proxy(lease, {});
  };

  test.each(refusals)('%s', async (_, make, code) => {
    const { pool, workers } = makeWorkers({}, { name: 'own' });
    const good = filled(pool);
    const bad = make(pool);
    const before = pool.outstanding();
    await expect(workers.run([good, bad], { name: 'echo' })).rejects.toMatchObject({ code });
    expect([good.released, pool.outstanding(), workers.stats().jobs]).toEqual([false, before, 0]);
    good.release();
    for (const lease of out.splice(0)) lease.release();
    if (code !== 'ERR_SLABPOOL_INVALID_ARG') bad.release();
  });

  test('the same one twice', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    await expect(workers.run({ a: lease, b: lease })).rejects.toThrow(
      invalid(/run\(task, options\): the same lease is there twice/),
    );
    lease.release();
  });

  test('one that was released, or has travelled', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    const first = workers.run({ input: lease });
    await expect(workers.run({ input: lease })).rejects.toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => lease.bytes).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    lease[Symbol.dispose]();
    expect(await first).toBe(4 * KiB);
  });

  test('detached', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    detach(lease.bytes);
    await expect(workers.run({ input: lease })).rejects.toThrow(coded('ERR_SLABPOOL_DETACHED'));
    lease.release();
  });

  test('a task that cannot be cloned: its leases were taken, and are released', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    await expect(workers.run({ input: lease, fn() {} })).rejects.toMatchObject({ name: 'DataCloneError' });
    expect([lease.released, pool.outstanding(), workers.stats().failed]).toEqual([true, 0, 1]);
    await nothingOut(pool);
    checkBooks(pool);
  });

  test.each([
    ['twice', 'ERR_SLABPOOL_INVALID_ARG'],
    ['released', 'ERR_SLABPOOL_LEASE_RELEASED'],
    ['shared', 'ERR_SLABPOOL_SHARED'],
    ['foreign', 'ERR_SLABPOOL_FOREIGN_LEASE'],
    ['oversize', 'ERR_SLABPOOL_OVERSIZE'],
  ])('in a result (%s): the job fails, and all are released', async (name, code) => {
    const { pool, workers } = makeWorkers();
    await expect(workers.run(filled(pool), { name })).rejects.toMatchObject({ code });
    expect(workers.stats()).toMatchObject({ failed: 1, deaths: 0 });
    await nothingOut(pool);
  });
});

describe('code of others that is called meanwhile', () => {
  test('a getter of the task that closes the pool, or takes the place', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const inner: Promise<unknown>[] = [];
    const task = {
      input: filled(pool),
      get other() {
        inner.push(workers.run({ input: filled(pool) }));
        return 1;
      },
    };
    expect(await workers.run(task)).toBe(4 * KiB);
    expect(await Promise.all(inner)).toEqual([4 * KiB]);
    const lease = filled(pool);
    const closing = {
      input: lease,
      get other() {
        return void workers.close();
      },
    };
    await expect(workers.run(closing)).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    lease.release();
  });

  test('a getter that throws', async () => {
    const { pool, workers } = makeWorkers();
    const lease = filled(pool);
    const task = {
      input: lease,
      get other(): never {
        throw new Error('from a getter');
      },
    };
    await expect(workers.run(task)).rejects.toThrow('from a getter');
    lease.release();
  });

  test('an abort listener that closes the pool', async () => {
    const { pool, workers } = makeWorkers({ maxThreads: 1 });
    const abort = new AbortController();
    const jobs = [workers.run({ input: filled(pool) }, { signal: abort.signal }), workers.run({ input: filled(pool) })];
    const outcomes = Promise.allSettled(jobs);
    let closed: Promise<void> | undefined;
    abort.signal.addEventListener('abort', () => {
      closed = workers.close({ timeout: 0 });
      closed.catch(() => {});
    });
    abort.abort();
    await expect(closed).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT'));
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await nothingOut(pool);
  });
});
