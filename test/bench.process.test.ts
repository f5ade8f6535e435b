import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { run } from './child.js';

const script = (name: string) => fileURLToPath(new URL(`../bench/${name}.js`, import.meta.url));

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** Results with one table, in which the second contender takes so many times as long in each round. */
function results(path: string, ratios: readonly number[], left: number): string {
  const one = (name: string, of: readonly number[]) => ({
    name,
    ns: 10,
    ratio: of[3],
    interval: [1, 1],
    rounds: of.map((ratio) => 10 * ratio),
  });
  const table = [
    one(
      'slabpool',
      ratios.map(() => 1),
    ),
    one('other', ratios),
  ];
  writeFileSync(
    path,
    JSON.stringify({ runtime: 'Node', cpu: 'one', command: 'it', results: { table, 'bytes left': left } }),
  );
  return path;
}

test('bench:compare says what has changed, and how sure that is', async () => {
  const at = folder();
  const rounds = [2, 2.1, 1.9, 2, 2.05, 1.95, 2];
  const before = results(join(at, 'before.json'), rounds, 10);
  const same = results(join(at, 'same.json'), [...rounds].reverse(), 10);
  const slower = results(
    join(at, 'slower.json'),
    rounds.map((ratio) => 2 * ratio),
    5,
  );
  const level = await run(script('compare'), [before, same]);
  expect(level).toMatchObject({ code: 0, stderr: '' });
  expect(level.stdout).toMatch(/table: other .* level /);
  const changed = await run(script('compare'), [before, slower]);
  expect(changed.stdout).toMatch(/table: other .* more /);
  expect(changed.stdout).toMatch(/bytes left .* 10 .* 5 .* 0\.5 /);
  expect(await run(script('compare'), [before])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/expected two files/),
  });
});

test('bench:report writes one file that needs nothing else', async () => {
  const file = join(folder(), 'page.html');
  expect(await run(script('report'), [file])).toMatchObject({ code: 0, stdout: `${file}\n`, stderr: '' });
  const text = readFileSync(file, 'utf8');
  expect(text).toMatch(/^<!doctype html>/);
  expect(text).not.toMatch(/<script|<link|<img|@import|url\(/);
});
