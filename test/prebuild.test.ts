import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sourceHash } from '../native/source-hash.js';
import { faultsOf } from '../scripts/inspect.js';
import { BINARY, HERE } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { TARGETS } from '../scripts/targets.js';
import { fixture, run } from './child.js';

const folder = join(root, 'prebuilds');
const path = join(folder, 'manifest.json');
const manifest: Record<string, { bytes: number; sha256: string; sourceHash: string }> = existsSync(path)
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

// The compiler of the published ones knows only an old glibc, whose std::condition_variable waits by the wall clock.
const published = manifest[`${HERE}/${BINARY}`]?.sourceHash === sourceHash();
test.skipIf(process.platform !== 'linux' || !published)(
  'an idle pool gives its pages back also when the wall clock is put back by an hour',
  async () => {
    const here = mkdtempSync(join(tmpdir(), 'slabpool-prebuild-'));
    onTestFinished(() => rmSync(here, { recursive: true }));
    const library = join(here, 'wall_clock.so');
    execFileSync('cc', ['-shared', '-fPIC', '-o', library, fixture('wall_clock.c'), '-ldl']);
    for (const part of ['dist', 'package.json', 'prebuilds']) {
      cpSync(join(root, part), join(here, part), { recursive: true });
    }
    const url = pathToFileURL(join(here, 'dist/index.js')).href;
    const { code, stdout, stderr } = await run(fixture('decay.mjs'), [url], { env: { LD_PRELOAD: library } });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ before: expect.any(Number), after: 0 });
    expect(JSON.parse(stdout).before).toBeGreaterThan(0);
  },
);
