import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { sourceHash } from '../native/source-hash.js';
import { faultsOf } from '../scripts/inspect.js';
import { readManifest } from '../scripts/manifest.js';
import { BINARY, HERE } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { TARGETS } from '../scripts/targets.js';
import { fixture, run } from './child.js';

const folder = join(root, 'prebuilds');
const manifest = readManifest();

// Whether they are made from the sources as they are now is looked at before the package is packed (scripts/prepack.js).
describe('P2: prebuilt binaries', () => {
  test('there is one for each platform that the package is for', () => {
    expect(Object.keys(manifest)).toEqual(TARGETS.map(({ name }) => name).sort());
  });

  test.each(Object.keys(manifest))('%s is the one that was made', (name) => {
    const content = readFileSync(join(folder, name));
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect({ bytes: content.length, sha256 }).toEqual({ bytes: manifest[name].bytes, sha256: manifest[name].sha256 });
  });

  // Elsewhere nothing reads what Linux's need.
  const readable = Object.keys(manifest).filter((name) => process.platform === 'linux' || !name.startsWith('linux'));
  test.each(readable)('%s needs no glibc above 2.28 and no C++ runtime, and is hardened and pinned', (name) => {
    expect(faultsOf(join(folder, name))).toEqual([]);
  });
});

test.skipIf(process.platform !== 'linux')('P2: what a published binary may not have is found', () => {
  const faults = ['exports no addon', expect.stringContaining('needs a C++ runtime')];
  expect(faultsOf(process.execPath), 'of Node itself').toEqual(expect.arrayContaining(faults));
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
