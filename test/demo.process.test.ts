import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { run } from './child.js';

const demo = fileURLToPath(new URL('../scripts/demo.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'slabpool-demo-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with a record of each of these lengths, as far as they go. */
function file(name: string, lengths: readonly number[], end = '\n') {
  const records = lengths.map((length, i) => {
    const head = `{"country":"${'ABC'[i % 3]}${i % 7}","lat":"${i % 90}.5","lng":"-${i % 180}.25","text":"`;
    return `${head}${'x'.repeat(Math.max(0, length - head.length - 2))}"}`;
  });
  const path = join(folder, name);
  writeFileSync(path, records.join('\n') + end);
  return path;
}

const short = (n: number) => Array.from({ length: n }, (_, i) => 80 + (i % 97));

test.each<[string, string]>([
  ['records across every border of blocks', file('short', short(3000))],
  ['a last record without its newline', file('open', short(1500), '')],
  [
    'records longer than what is carried over',
    file('long', [5000, 100, 61_440, 61_439, 61_441, 70_000, 100, 9000, 200]),
  ],
  ['a record of many blocks at the end', file('longest', [100, 100, 3_000_000], '')],
  ['blank and malformed lines', file('odd', short(900), '\n\n \n[1]\n{"country":\n{"country":"A0"}\n')],
])('the demo finds the same on one thread and on several: %s', async (_, path) => {
  for (const workers of [[], ['--workers', '1'], ['--workers', '3']]) {
    const { code, stdout, stderr } = await run(demo, [path, '--rounds', '1', ...workers]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/All [34] passes found exactly the same/);
  }
});

test('a file without lines is refused by every thread that reads it', async () => {
  const path = file('endless', [100, 40 * 2 ** 20]);
  const { code, stderr } = await run(demo, [path, '--rounds', '1', '--workers', '2']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/longer than 16777216 bytes/);
});

test.each(['0', '-1', '65', 'two', ''])('--workers %o is refused', async (workers) => {
  const { code, stderr } = await run(demo, [`--workers=${workers}`]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/--workers: expected a whole number from 1 to 64/);
});
