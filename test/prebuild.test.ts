import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { faultsOf } from '../scripts/inspect.js';
import { root } from '../scripts/run.js';
import { TARGETS } from '../scripts/targets.js';

const folder = join(root, 'prebuilds');
const path = join(folder, 'manifest.json');
const manifest: Record<string, { bytes: number; sha256: string }> = existsSync(path)
  ? JSON.parse(readFileSync(path, 'utf8'))
  : {};

test('there is a prebuilt binary for linux-x64', () => {
  expect(existsSync(join(folder, 'linux-x64/slabpool.glibc.node'))).toBe(true);
});

// Whether they are made from the sources as they are now is looked at before the package is packed (scripts/prepack.js).
describe.skipIf(Object.keys(manifest).length === 0)('P2: prebuilt binaries', () => {
  test.each(Object.keys(manifest))('%s is the one that was made', (name) => {
    const content = readFileSync(join(folder, name));
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect({ bytes: content.length, sha256 }).toEqual({ bytes: manifest[name].bytes, sha256: manifest[name].sha256 });
    expect(TARGETS.map((target) => target.name)).toContain(name);
  });

  test.each(Object.keys(manifest))(
    '%s needs no glibc above 2.28 and no C++ runtime, and is hardened and pinned',
    (name) => {
      expect(faultsOf(join(folder, name))).toEqual([]);
    },
  );
});

test.skipIf(process.platform !== 'linux')('P2: what a published binary may not have is found', () => {
  // Node itself needs a C++ runtime, and exports no addon.
  expect(faultsOf(process.execPath)).toEqual(expect.arrayContaining(['exports no addon']));
});
