import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fixture, run } from './child.js';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/** What two pools in a child got; nothing was written to stderr but Node's own warnings. */
async function probe(backend: string, execArgv: readonly string[], url?: string): Promise<Record<string, unknown>> {
  const args = url === undefined ? [backend] : [backend, url];
  // Which binary is looked for is what these tests are about.
  const env = { PREBUILDS_ONLY: '', SLABPOOL_PREBUILD: '' };
  const ended = await run(fixture('backend.mjs'), args, { execArgv: ['--no-warnings', ...execArgv], env });
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const [first, second] = JSON.parse(ended.stdout);
  expect(second).toEqual(first);
  return first;
}

describe('where addons are disabled', () => {
  const disabled = [
    ['--no-addons', ['--no-addons']],
    ['the permission model', [PERMISSION, '--allow-fs-read=*']],
  ] as const;

  test.each(disabled)('%s: the TypeScript core, with the reason', async (_, execArgv) => {
    expect(await probe('auto', execArgv)).toEqual({
      kind: 'js',
      reason: expect.stringMatching(/native addons are disabled here \(--no-addons, or the permission model/),
      works: true,
    });
    expect(await probe('js', execArgv)).toMatchObject({ kind: 'js', works: true });
  });

  test.each(disabled)('%s: asking for the native core throws', async (_, execArgv) => {
    expect(await probe('native', execArgv)).toMatchObject({
      name: 'SlabPoolError',
      code: 'ERR_SLABPOOL_BACKEND',
      message: expect.stringMatching(/\{ backend: 'native' \} cannot be had: native addons are disabled/),
      pool: 'probe',
    });
  });

  test('the permission model with --allow-addons: the native core', async () => {
    const execArgv = [PERMISSION, '--allow-fs-read=*', '--allow-addons'];
    expect(await probe('auto', execArgv)).toMatchObject({ kind: 'native', works: true });
  });
});

test('without options: the native core', async () => {
  expect(await probe('auto', [])).toEqual({ kind: 'native', reason: 'the native addon is loaded', works: true });
});

describe('an installation of its own', () => {
  let folder: string;
  let url: string;
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'slabpool-backend-')));
    for (const part of ['dist', 'package.json', 'node_modules/node-gyp-build']) {
      cpSync(join(PACKAGE, part), join(folder, part), { recursive: true });
    }
    url = pathToFileURL(join(folder, 'dist/index.js')).href;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('without a binary: the TypeScript core, with the reason', async () => {
    expect(await probe('auto', [], url)).toEqual({
      kind: 'js',
      reason: `there is no binary for ${process.platform}-${process.arch}, and none was built at installation`,
      works: true,
    });
    expect(await probe('native', [], url)).toMatchObject({
      code: 'ERR_SLABPOOL_BACKEND',
      message: expect.stringContaining(`there is no binary for ${process.platform}-${process.arch}`),
    });
  });

  const broken = [
    ['garbage', Buffer.from('this is no shared library\n'.repeat(100))],
    ['empty', Buffer.alloc(0)],
    ['cut off', Buffer.from('\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0', 'latin1')],
  ] as const;
  const places = ['build/Release/slabpool.node', `prebuilds/${process.platform}-${process.arch}/slabpool.node`];
  describe.each(places)('with a broken %s', (place) => {
    test.each(broken)('%s: an error that names the cause, never another core', async (_, content) => {
      const path = join(folder, place);
      mkdirSync(join(path, '..'), { recursive: true });
      writeFileSync(path, content);
      for (const backend of ['auto', 'native']) {
        const error = await probe(backend, [], url);
        expect(error).toMatchObject({
          name: 'SlabPoolError',
          code: 'ERR_SLABPOOL_BACKEND',
          message: expect.stringMatching(
            /is there but does not load: .*slabpool\.node.*npm rebuild slabpool.*backend: 'js'/,
          ),
          cause: expect.stringContaining(path),
        });
      }
      expect(await probe('js', [], url)).toMatchObject({ kind: 'js', works: true });
    });
  });

  test('with a binary that is some other addon: an error, never another core', async () => {
    const path = join(folder, 'build/Release/slabpool.node');
    mkdirSync(join(path, '..'), { recursive: true });
    // CommonJS under an addon's name: what an addon without our exports looks like to the loader.
    writeFileSync(join(folder, 'other.cjs'), 'exports.hello = () => 1;\n');
    writeFileSync(
      join(folder, 'node_modules/node-gyp-build/index.js'),
      `exports.resolve = () => ${JSON.stringify(join(folder, 'other.cjs'))};\n`,
    );
    expect(await probe('auto', [], url)).toMatchObject({ code: 'ERR_SLABPOOL_BACKEND' });
  });
});
