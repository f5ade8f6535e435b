import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './child.js';

// What a newcomer copies from the README runs as it stands.
const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [oneThread, main, worker] = [...readme.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'slabpool-readme-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules/slabpool'), 'junction');
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
});
afterAll(() => rmSync(project, { recursive: true }));

function place(name: string, code: string | undefined): string {
  writeFileSync(join(project, name), code as string);
  return join(project, name);
}

test('the first example', async () => {
  const file = place(
    'first.mjs',
    (oneThread as string).replace("'package.json'", JSON.stringify(join(project, 'package.json'))),
  );
  const ended = await run(file, []);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(ended.stdout).toMatch(/^20 65536\n\d+ 0\n$/);
});

test('the example of threads', async () => {
  place('worker.mjs', worker);
  const ended = await run(place('main.mjs', main), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'filled here\n', stderr: '' });
});
