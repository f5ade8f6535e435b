// A4: whoever waits is served before its thread ends, or the thread says that it was not.
import { describe, expect, test } from 'vitest';
import { BACKENDS } from './backends.js';
import { type Ended, fixture, run } from './child.js';

const WAYS = ['timers', 'immediates', 'microtasks', 'sockets', 'releases', 'cancel', 'oversize', 'borrowing'];
const BETWEEN_MEMBERS = ['flush', 'trim', 'death', 'others'];

const script = (text: string) =>
  run('-', [], { execArgv: ['--input-type=module', '-e', `import { BufferPool } from 'slabpool';\n${text}`] });
const inWorker = (text: string) =>
  script(`
    import { Worker } from 'node:worker_threads';
    const text = ${JSON.stringify(`import { BufferPool } from ${JSON.stringify(import.meta.resolve('slabpool'))};\n${text}`)};
    new Worker(new URL('data:text/javascript,' + encodeURIComponent(text)));`);

describe.each(BACKENDS)('A4: a grant on the %s core keeps its thread alive until it is delivered', (backend) => {
  const ways = backend === 'native' ? [...WAYS, ...BETWEEN_MEMBERS] : WAYS;

  test.each(ways)('%s: all of 20 tasks run', async (way) => {
    const children = ['awaited', 'not awaited'].map((awaits) =>
      run(fixture('undelivered.mjs'), [backend, awaits, way]),
    );
    const expected = { code: 0, signal: null, stdout: `${way}: 20 of 20\n`, stderr: '' };
    expect(await Promise.all(children)).toEqual([expected, expected]);
  });

  test.each(['awaited', 'not awaited'])('and in workers, with the tasks %s', async (awaits) => {
    const { stdout, ...ended } = await run(fixture('undelivered.mjs'), [backend, awaits, ...ways]);
    expect(ended).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout.trim().split('\n').sort()).toEqual(ways.map((way) => `${way}: 20 of 20`).sort());
  });

  test('so does a timeout', async () => {
    const waits = `
      const pool = new BufferPool({ backend: '${backend}', maxBytes: 65536 });
      const lease = pool.acquire(65536);
      const asked = [10, 20].map((timeout) => pool.acquireAsync(1, { timeout }).catch(({ code }) => console.log(code)));`;
    const all = await Promise.all([script(waits), script(`${waits} await Promise.all(asked);`), inWorker(waits)]);
    const stdout = 'ERR_SLABPOOL_TIMEOUT\n'.repeat(2);
    expect(all).toEqual(all.map(() => ({ code: 0, signal: null, stdout, stderr: '' })));
  });
});

describe.each(BACKENDS)('A4: a wait on the %s core that nothing in the process can end', (backend) => {
  const waits = `
    const pool = new BufferPool({ backend: '${backend}', name: 'mine', maxBytes: 65536, maxOversizeBytes: 2 ** 21 });
    const lease = (globalThis.lease = pool.acquire(65536)); // not garbage
    const asked = [pool.acquireAsync(1), pool.acquireAsync(65536)];`;
  const warning =
    /SLABPOOL_UNSERVED.*this thread ends.*pool 'mine', 2 requests of up to 65536 bytes, while the thread itself holds 1 leases/;

  const expectWarning = ({ stderr, ...ended }: Ended, code: number, expected: RegExp) => {
    expect(ended).toEqual({ code, signal: null, stdout: '' });
    expect(stderr).toMatch(expected);
    expect(stderr.match(/SLABPOOL_UNSERVED/g)).toHaveLength(1);
  };

  test('keeps no thread alive, and a process warning at its end names it', async () => {
    const [bare, awaited, worker] = await Promise.all([
      script(waits),
      script(`${waits} await Promise.all(asked);`),
      inWorker(waits),
    ]);
    expectWarning(bare, 0, warning);
    expectWarning(awaited, 13, warning);
    expectWarning(worker, 0, warning);
  });

  test('of an oversize buffer neither', async () => {
    const ended = await script(`${waits}
      globalThis.large = pool.acquire(2 ** 21);
      pool.acquireAsync(2 ** 20 + 1);`);
    const held = 'while the thread itself holds 2 leases \\(1 of them oversize\\)';
    const both = `2 requests of up to 65536 bytes, ${held}; pool 'mine', 1 requests of up to 1048577 bytes, ${held}`;
    expectWarning(ended, 0, new RegExp(both));
  });

  test('is named also where the pool is closed at the exit', async () => {
    const ended = await script(
      `process.on('exit', () => pool.close()); ${waits} for (const one of asked) one.catch(() => {});`,
    );
    expectWarning(ended, 0, warning);
  });

  test.each([
    [
      'a pool that is closed in time',
      'for (const one of asked) one.catch(() => {}); setTimeout(() => pool.close(), 5);',
    ],
    ['a process that exits by itself', 'setTimeout(() => process.exit(), 5);'],
    [
      'a release as the last deed',
      "process.once('beforeExit', () => lease.release()); for (const one of asked) (await one).release();",
    ],
  ])('%s says nothing', async (_, then) => {
    expect(await script(`${waits} ${then}`)).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
  });

  test('leaves no listener behind once nobody waits', async () => {
    const ended = await script(`
      const count = () => process.listenerCount('beforeExit') + process.listenerCount('exit');
      const before = count();
      ${waits}
      const while2 = count();
      lease.release();
      for (const one of asked) (await one).release();
      console.log(while2 - before, count() - before);`);
    expect(ended).toEqual({ code: 0, signal: null, stdout: '1 0\n', stderr: '' });
  });
});
