import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { fixture, Running, run } from './child.js';
import { sampleStats } from './sample-stats.js';

const CLI = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));

const folder = mkdtempSync(join(tmpdir(), 'slabpool-top-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The exit code of who was told to end: Windows has no signals, and ends the process. */
const SIGNALLED = process.platform === 'win32' ? null : 0;

const cli = (...args: string[]) => new Running(process.execPath, [CLI, ...args]);

async function service(): Promise<{ port: string; service: Running }> {
  const running = new Running(process.execPath, [fixture('top-service.mjs')]);
  const [, port] = (await running.says(/"port":(\d+)/)) as [string, string];
  return { port, service: running };
}

describe('top --once', () => {
  test('a live service', async () => {
    const { port } = await service();
    for (const source of [port, `http://127.0.0.1:${port}`]) {
      const { code, stdout, stderr } = await run(CLI, ['top', source, '--once']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^busy {2}native, .* old: /);
      expect(stdout).toMatch(/\] \d+ KiB of 8 MiB, peak /);
      expect(stdout).toMatch(/5 KiB /);
      expect(stdout).toMatch(/leases out 3\n/);
      expect(stdout).toMatch(/note: 3 acquires so far, below 1,000/);
    }
  });

  test('names with escape sequences reach no terminal', async () => {
    const { port } = await service();
    const { stdout } = await run(CLI, ['top', port, '--once']);
    expect(stdout).toMatch(/^odd \?name {2}native/m);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('the stats of one pool in a file, with threads and findings', async () => {
    const [thread] = sampleStats().threads;
    const stats = sampleStats({
      name: 'saved',
      exhausted: 12,
      threads: [thread, { ...thread, thread: 7, here: false, acquires: 1 }] as never,
      pressure: { source: 'cgroup-v2', level: 'critical', usedBytes: 95, limitBytes: 100 },
    });
    const { code, stdout } = await run(CLI, ['top', file('saved.json', JSON.stringify(stats)), '--once']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^saved {2}native, 10 s old, memory pressure critical: warning\n/);
    expect(stdout).toMatch(/1,000 acquires\/s {2}hit rate 99\.7 % {2}leases out 0\nrefused 12 /);
    expect(stdout).toMatch(/0 \(asked\).*\n.*7 /);
    expect(stdout).toMatch(/warning: the budget of 16 MiB was full: 12 acquires were refused\. /);
    expect(stdout).toMatch(/warning: memory is short: 95 B of 100 B are in use \(cgroup-v2\)/);
  });

  test('stats of a real pool that were written to a file', async () => {
    const pool = new BufferPool({ name: 'real' });
    pool.acquire(100).release();
    const { code, stdout } = await run(CLI, ['top', file('real.json', JSON.stringify([pool.stats()])), '--once']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^real {2}native/) });
    pool.close();
  });

  test('no pools', async () => {
    expect(await run(CLI, ['top', file('none.json', '[]'), '--once'])).toMatchObject({ code: 0, stdout: 'no pools\n' });
  });

  const stats = sampleStats();
  test.each<[string, unknown, RegExp]>([
    ['nothing', '', /expected JSON of pool\.stats\(\), or an array of such; got ""/],
    ['half of it', '[{"name":', /expected JSON/],
    ['an escape sequence', '"\u009b31m?', /got "\\"\?"\n/],
    ['null', null, /pool 0 is no object/],
    ['an array in an array', [[]], /pool 0\.kind is no string/],
    ['text for a number', { ...stats, acquires: '5' }, /pool 0\.acquires is no number/],
    ['a second pool without figures', [stats, { ...stats, waits: {} }], /pool 1\.waits\.total is no number/],
    ['an object for an array', { ...stats, classes: {} }, /pool 0\.classes is no array/],
    ['half an entry', { ...stats, requests: [{ size: 1 }] }, /pool 0\.requests\[0\]\.count is no number/],
  ])('a file with %s: exit code 1, and what is wrong with it', async (_, value, message) => {
    const content = typeof value === 'string' ? value : JSON.stringify(value);
    const ended = await run(CLI, ['top', file('wrong.json', content), '--once']);
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(message) });
    expect(ended.stderr).toMatch(/^slabpool: /);
  });

  test.each([
    ['a pool without tiers', sampleStats({ classes: [] })],
    ['figures out of all bounds', sampleStats({ residentBytes: -1e300, maxBytes: 0, ageMs: -5, hitRate: 9 })],
  ])('%s is shown nevertheless', async (_, stats) => {
    const path = file('strange.json', JSON.stringify(stats));
    expect(await run(CLI, ['top', path, '--once'])).toMatchObject({ code: 0, stderr: '' });
  });

  test('nothing there: exit code 1', async () => {
    const ended = await run(CLI, ['top', join(folder, 'missing.json'), '--once']);
    expect(ended).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/cannot read .*missing.json: ENOENT/),
    });
    const server = createServer((_, response) => response.writeHead(503).end('later'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const refused = await run(CLI, ['top', String(port), '--once']);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/it answers with status 503/) });
    server.close();
    await once(server, 'close');
    const gone = await run(CLI, ['top', String(port), '--once']);
    expect(gone).toMatchObject({ code: 1, stderr: expect.stringMatching(/cannot read http:.*: ECONNREFUSED/) });
  });
});

describe('top, live', () => {
  test('not on a terminal: one look after the other, with rates between them, until it is told to end', async () => {
    const { port } = await service();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const top = cli('top', port, '--interval', '0.2');
      await top.says(/(^busy [\s\S]*){4}/m);
      top.signal(signal);
      const { code, stderr, stdout } = await top.ended;
      expect({ code, stderr }).toEqual({ code: SIGNALLED, stderr: '' });
      const rates = [...stdout.matchAll(/^(\d[\d,]*) acquires\/s/gm)].map(([, n]) => Number(n?.replaceAll(',', '')));
      // Of `odd`, which has done nothing since: its three acquires count for the first look alone.
      expect(rates[3]).toBe(0);
      expect(rates[2]).toBeGreaterThan(100);
      expect(stdout).not.toContain('\x1b');
    }
  });

  test('a file that is rewritten: rates are those between two versions of it', async () => {
    const write = (ageMs: number, acquires: number) =>
      file('live.json', JSON.stringify(sampleStats({ ageMs, acquires, threads: [] })));
    const path = write(10_000, 10_000);
    const top = cli('top', path, '--interval', '0.1');
    await top.says(/^1,000 acquires\/s/m);
    write(12_000, 110_000);
    await top.says(/(^50,000 acquires\/s[\s\S]*){3}/m);
    top.signal('SIGINT');
    expect(await top.ended).toMatchObject({ code: SIGNALLED, stderr: '' });
  });

  test('a service that is gone, and comes again', async () => {
    const { port, service: first } = await service();
    const top = cli('top', port, '--interval', '0.1');
    await top.says(/^busy /m);
    first.signal('SIGKILL');
    await top.says(/(cannot read http:\/\/127\.0\.0\.1:\d+\/: \w+; trying again\n[\s\S]*){2}/);
    const server = createServer((_, response) => response.end(JSON.stringify(sampleStats({ name: 'again' }))));
    onTestFinished(() => server.closeAllConnections());
    await once(server.listen(Number(port), '127.0.0.1'), 'listening');
    await top.says(/^again /m);
    server.close();
    top.signal('SIGINT');
    expect(await top.ended).toMatchObject({ code: SIGNALLED, stderr: '' });
  });

  test('a service that accepts and never answers does not delay the end', async () => {
    const server = createServer(() => {});
    onTestFinished(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const asked = once(server, 'request');
    const top = cli('top', String((server.address() as AddressInfo).port));
    await asked;
    top.signal('SIGINT');
    expect(await top.ended).toMatchObject({ code: SIGNALLED, stdout: '', stderr: '' });
  });

  test('ends when nobody reads its output any more', async () => {
    const { port } = await service();
    const top = cli('top', port, '--interval', '0.1');
    await top.says(/^busy /m);
    top.hangUp();
    expect(await top.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test.skipIf(spawnSync('script', ['--version']).error !== undefined)(
    'on a terminal: a screen of its own, which Ctrl+C takes away again',
    async () => {
      const { port } = await service();
      const command = `stty cols 40 rows 10; exec '${process.execPath}' '${CLI}' top ${port} --interval 0.1`;
      const top = new Running('script', ['-qec', command, '/dev/null']);
      await top.says(/\[\?1049h[\s\S]*(busy[\s\S]*){3}/);
      top.types('\x03');
      const { stdout, code } = await top.ended;
      expect(code).toBe(0);
      expect(stdout.endsWith('\x1b[?1049l')).toBe(true);
      const [, ...looks] = stdout.split('\x1b[1;1H\x1b[0J');
      expect(looks.length).toBeGreaterThanOrEqual(3);
      for (const look of looks.slice(0, -1)) {
        const lines = look.split('\r\n');
        expect(lines.length).toBeLessThan(10);
        for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
      }
    },
  );
});
