import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { sourceHash } from '../native/source-hash.js';
import { run } from './child.js';

const ROOT = new URL('../prebuilds/', import.meta.url);
const HERE = `${process.platform}-${process.arch}`;

const binaries = readdirSync(ROOT, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => readdirSync(new URL(`${name}/`, ROOT)).map((file) => `${name}/${file}`))
  .filter((path) => path.endsWith('.node'));
const mine = binaries.filter((path) => path.startsWith(`${HERE}/`));

test('there is a prebuilt binary for linux-x64', () => {
  expect(binaries.filter((path) => path.startsWith('linux-x64/'))).not.toEqual([]);
});

describe.skipIf(mine.length === 0)('prebuilt binaries of this platform', () => {
  test.each(mine)('%s is made from the sources as they are now', async (binary) => {
    const path = fileURLToPath(new URL(binary, ROOT));
    const script = 'process.stdout.write(require(process.argv[1]).sourceHash)';
    const ended = await run(path, [], { execArgv: ['-e', script] });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.stdout, 'stale prebuild: run npm run prebuild').toBe(sourceHash());
  });
});
