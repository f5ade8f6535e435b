// Whoever waits for a resource is served or refused before its thread ends, or the thread says that it was not; nothing else keeps it.
import { describe, expect, test } from 'vitest';
import { run } from './child.js';

const script = (text: string, ...execArgv: string[]) =>
  run('-', [], {
    execArgv: [
      ...execArgv,
      '--input-type=module',
      '-e',
      `import { FailoverPool, ResourcePool } from 'slabpool/resource';\n${text}`,
    ],
  });
const OPTIONS = 'open: () => ({}), close() {}';
const clean = { code: 0, signal: null, stderr: '' };

describe('a process that nothing else keeps alive', () => {
  test('ends with an idle pool, a sweeper, a minIdle, a spare and a probe', async () => {
    const ended = await script(`
      const pool = new ResourcePool({ ${OPTIONS}, minIdle: 2, maxIdleMs: 100 });
      (await pool.acquire()).release();
      const dead = { open: () => Promise.reject(new Error('down')), close() {} };
      const pair = new FailoverPool({ primary: dead, spare: { ${OPTIONS}, minIdle: 1 }, failures: 1 });
      (await pair.acquire()).release();
      console.log(pair.active, performance.now() < 10_000);
      process.on('exit', () => console.log('the end'));`);
    expect(ended).toEqual({ ...clean, stdout: 'spare true\nthe end\n' });
  });

  test.each<[string, string, string]>([
    ['an opening', `open: (signal) => new Promise((resolve) => setTimeout(resolve, 50).unref()), close() {}`, 'served'],
    ['a retry', `open: () => { if (calls++ === 0) throw new Error('once'); return {}; }, close() {}`, 'served'],
    [
      'an opening that hangs',
      `open: () => new Promise(() => {}), close() {}, openTimeoutMs: 300, openRetries: 0`,
      'ERR_SLABPOOL_OPEN_FAILED',
    ],
    ['a timeout of its own', `${OPTIONS}, maxSize: 1, acquireTimeoutMs: 100`, 'ERR_SLABPOOL_TIMEOUT'],
  ])('waits for %s', async (_, options, outcome) => {
    const ended = await script(`
      let calls = 0;
      const pool = new ResourcePool({ ${options} });
      ${outcome === 'ERR_SLABPOOL_TIMEOUT' ? 'globalThis.lease = await pool.acquire();' : ''}
      pool.acquire().then(() => console.log('served'), ({ code }) => console.log(code));`);
    expect(ended).toEqual({ ...clean, stdout: `${outcome}\n` });
  });

  test('ends where nobody can serve, and says so', async () => {
    const ended = await script(`
      const pool = new ResourcePool({ ${OPTIONS}, name: 'mine', maxSize: 1, acquireTimeoutMs: Infinity });
      globalThis.lease = await pool.acquire();
      pool.acquire();`);
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toMatch(/SLABPOOL_UNSERVED.*pool 'mine', 1 requests, while 1 of 1 resources are used/);
  });

  test('ends in a close() that waits for a lease, and says so', async () => {
    const ended = await script(`
      const pool = new ResourcePool({ ${OPTIONS}, name: 'mine' });
      globalThis.lease = await pool.acquire();
      pool.close();`);
    expect(ended).toMatchObject({ code: 0, stdout: '' });
    expect(ended.stderr).toMatch(/SLABPOOL_UNSERVED.*pool 'mine', close\(\), while 1 leases are out/);
  });

  test('closes before it ends', async () => {
    const ended = await script(`
      const pool = new ResourcePool({ open: () => ({}), close: () => new Promise((resolve) => setTimeout(resolve, 100).unref()) });
      (await pool.acquire()).release();
      pool.close().then(() => console.log('closed'));`);
    expect(ended).toEqual({ ...clean, stdout: 'closed\n' });
  });
});

test('10,000 who wait, a hundred times over: memory comes back', async () => {
  const ended = await script(
    `
      const pool = new ResourcePool({ ${OPTIONS}, maxSize: 10 });
      const round = () => Promise.all(Array.from({ length: 10_000 }, async (_, i) => {
        const lease = await pool.acquire();
        if (i % 100 === 0) await null;
        lease.release();
      }));
      const gaveUp = () => {
        const held = Array.from({ length: 10 }, () => pool.tryAcquire());
        const abort = new AbortController();
        const all = Array.from({ length: 10_000 }, () => pool.acquire({ signal: abort.signal }).catch(() => {}));
        abort.abort();
        for (const lease of held) lease.release();
        return Promise.all(all);
      };
      const settled = async () => {
        for (let i = 0; i < 5; i++) { await new Promise(setImmediate); gc(); }
        return process.memoryUsage().heapUsed;
      };
      for (let i = 0; i < 5; i++) { await round(); await gaveUp(); }
      const before = await settled();
      for (let i = 0; i < 45; i++) { await round(); await gaveUp(); }
      const grown = await settled() - before;
      const { waits, size } = pool.stats();
      await pool.close();
      console.log(grown < 1e6 ? 'back' : grown, waits.aborted, waits.waiting, size, process.listenerCount('beforeExit'));`,
    '--expose-gc',
  );
  expect(ended).toEqual({ ...clean, stdout: 'back 500000 0 10 0\n' });
});
