import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { race, rateOf } from '../scripts/demo/race.js';
import { run } from './child.js';

const demo = fileURLToPath(new URL('../scripts/demo.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'slabpool-demo-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with a record of each of these lengths, as far as they go. */
function file(name: string, lengths: readonly number[], end = '\n') {
  const records = lengths.map((length, i) => {
    const head = `{"country":"${'ABC'[i % 3]}${i % 7}","text":"`;
    return `${head}${'x'.repeat(Math.max(0, length - head.length - 2))}"}`;
  });
  const path = join(folder, name);
  writeFileSync(path, records.join('\n') + end);
  return path;
}

const short = (n: number) => Array.from({ length: n }, (_, i) => 80 + (i % 97));

test.each<[string, string]>([
  ['records across every border of blocks', file('short', short(9000))],
  ['a last record without its newline', file('open', short(1500), '')],
  ['records about as long as a block', file('long', [5000, 262_144, 262_143, 262_145, 600_000, 100, 9000, 200])],
  ['a record of many blocks at the end', file('longest', [100, 100, 3_000_000], '')],
  ['blank and malformed lines', file('odd', short(900), '\n\n \n[1]\n{"country":\n{"country":"A0\n{"country":"A0"}\n')],
])('a file is counted the same in each way: %s', async (_, path) => {
  const { code, stdout, stderr } = await run(demo, [path, '--rounds', '1']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('All 3 passes found the same as the others of their job.');
});

test('all jobs, each with bars, and what they come to', async () => {
  const { code, stdout, stderr } = await run(demo, ['--rounds', '1', '--size', '1']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).not.toContain('\x1b');
  const bars = stdout.match(/^ {2}\S.* █+ +[\d,]+ .* MB/gm) ?? [];
  expect(stdout).toContain(`All ${bars.length} passes found the same`);
  const summed = stdout.match(/^ {2}\d+\.\d\d x {2}\S/gm) ?? [];
  expect(summed).toHaveLength(stdout.match(/^[A-Z].* \.\.\.$/gm)?.length ?? 0);
  expect(summed.length).toBeGreaterThanOrEqual(8);
}, 300_000);

test('a record that is too long fails it, and says why', async () => {
  const { code, stderr } = await run(demo, [file('endless', [100, 40 * 2 ** 20]), '--rounds', '1']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^demo: lines\(\) ended early \(exit code 1\):/);
  expect(stderr).toContain('ERR_SLABPOOL_TOO_LONG');
});

test.each([
  [['--rounds=0'], /--rounds: expected a whole number from 1 to 100, got "0"/],
  [['--size', 'two'], /--size: expected a whole number from 1 to 1024, got "two"/],
  [['a', 'b'], /expected one FILE, got 2/],
  [['a', '--size', '1'], /it cannot be used with FILE/],
  [['nowhere.ndjson'], /nowhere\.ndjson: expected an NDJSON file/],
])('%j is refused', async (args, message) => {
  const { code, stderr } = await run(demo, args);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) });
  expect(stderr).not.toContain('    at ');
});

test('--help', async () => {
  const { code, stdout } = await run(demo, ['--help']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('--rounds N') });
});

describe('a race', () => {
  const options = { input: '', seconds: 0, rounds: 3 };

  /** A way that finds the next of these each time. */
  const way = (label: string, ...results: string[]) => ({
    label,
    run: async () => ({ bytes: 2e6, cpu: 0.5, peakRss: 3e6, result: results.shift() ?? 'the same' }),
  });

  test('turns, so that none is always first', async () => {
    const seen: string[] = [];
    const runs = await race({ title: 'job', ways: [way('a'), way('b'), way('c')] }, options, ({ label }) =>
      seen.push(label),
    );
    expect(seen.join('')).toBe('abcbcacab');
    expect([...runs.values()].map((readings) => rateOf(readings))).toEqual(Array(3).fill({ rate: 4, rss: 3 }));
  });

  test.each([
    ['in the first round', [way('a'), way('b', 'something else')]],
    ['later, by itself', [way('a', 'the same', 'something else'), way('b')]],
  ])('fails at the first result that differs: %s', async (_, ways) => {
    await expect(race({ title: 'job', ways }, options, () => {})).rejects.toThrow(
      /job: the results differ\.\n {2}a: the same\n {2}[ab]: something else/,
    );
  });
});
