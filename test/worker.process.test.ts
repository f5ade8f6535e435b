import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fixture, run } from './child.js';

const root = fileURLToPath(new URL('..', import.meta.url));

test('without piscina: the entry loads, threads could be its threads, and a WorkerPool says what to install', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const part of ['dist', 'package.json', 'prebuilds', 'build/Release/slabpool.node']) {
    cpSync(join(root, part), join(folder, 'node_modules/slabpool', part), { recursive: true });
  }
  const script = join(folder, 'script.mjs');
  writeFileSync(
    script,
    `import { BufferPool } from 'slabpool';
    import { job, WorkerPool } from 'slabpool/worker';
    job(() => {});
    try {
      new WorkerPool({ filename: import.meta.url, pool: new BufferPool() });
    } catch ({ code, message, details }) {
      console.log(JSON.stringify({ code, message, details }));
    }`,
  );
  const { code, stdout, stderr } = await run(script, []);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    code: 'ERR_SLABPOOL_DEPENDENCY',
    message: expect.stringMatching(/a WorkerPool needs the package 'piscina', .*: npm install piscina$/),
    details: { package: 'piscina' },
  });
});

test('slabpool/worker loads nothing of piscina before there is a WorkerPool; a thread of it not its main part', async () => {
  const { stdout, stderr } = await run(fixture('workers/loaded.mjs'), []);
  expect({ stdout, stderr }).toEqual({ stdout: 'before: \nthread: no main part\n', stderr: '' });
});

describe('a process that nothing keeps alive', () => {
  test.each([
    ['queued', Array.from({ length: 20 }, (_, i) => `${i} 1000\n`).join('')],
    ['idle', '1000\n'],
    ['ready', /^(1000\n)*ready\n(1000\n)*$/],
    ['exit', ''],
    ['closed', '1000 0\n'],
  ])('%s: ends when the jobs have ended', async (way, output) => {
    const { code, signal, stdout, stderr } = await run(fixture('workers/ends.mjs'), [way]);
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
    expect(stdout).toEqual(typeof output === 'string' ? output : expect.stringMatching(output));
  });
});
