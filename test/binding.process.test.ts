import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Binary, loadBinary } from '../dist/core/binary.js';
import { fixture, run } from './child.js';

test.each([1, 2, 3, 4])('garbage in every argument crashes nothing and spoils no books (seed %i)', async (seed) => {
  const ended = await run(fixture('fuzz.mjs'), [String(seed), '50000'], { execArgv: ['--expose-gc'] });
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'alive\n', stderr: '' });
});

test.each([1, 2])('garbage in every argument of a channel crashes nothing either (seed %i)', async (seed) => {
  const ended = await run(fixture('fuzz-channel.mjs'), [String(seed), '20000'], { execArgv: ['--expose-gc'] });
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'alive\n', stderr: '' });
});

describe('two copies of the addon', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'slabpool-copies-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('in one process have nothing in common', async () => {
    const binary = (loadBinary() as Binary).path;
    const copies = ['one', 'two'].map((name) => join(folder, `${name}.node`));
    for (const copy of copies) copyFileSync(binary, copy);
    const ended = await run(fixture('two-copies.mjs'), copies);
    expect(ended).toEqual({ code: 0, signal: null, stdout: 'ok\n', stderr: '' });
  });
});
