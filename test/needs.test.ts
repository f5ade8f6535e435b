// What the names of test files promise: *.thread.test.ts needs worker threads, *.process.test.ts other processes, or long; all others are
// quick and need neither.
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const names = readdirSync(new URL('.', import.meta.url)).filter((name) => /^[^.]+\.test\.ts$/.test(name));

test('files that are nothing but *.test.ts start no threads, and no Node', () => {
  const NEEDS_MORE = /^import .*'(\.\/member\.js|\.\/child\.js|node:cluster)';$|\bnew Worker\(/m;
  expect(names.length).toBeGreaterThan(30);
  const needMore = names.filter((name) => NEEDS_MORE.test(readFileSync(new URL(name, import.meta.url), 'utf8')));
  expect(needMore).toEqual([]);
});
