import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BINARY, builtBinary, HERE, makeUnloadable, place } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { fixture, run } from './child.js';

const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/** What two pools in a child got; and the process's warnings, but Node's own. */
async function probe(backend: string, execArgv: readonly string[], url?: string): Promise<Record<string, unknown>> {
  const args = url === undefined ? [backend] : [backend, url];
  const ended = await run(fixture('backend.mjs'), args, { execArgv: ['--no-warnings', ...execArgv] });
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const { attempts, warnings } = JSON.parse(ended.stdout);
  const [first, second] = attempts;
  expect(second).toEqual(first);
  return warnings.length === 0 ? first : { ...first, warnings };
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

test('a runtime without external buffers: the TypeScript core, with the reason', async () => {
  const execArgv = ['--import', pathToFileURL(fixture('no-external-buffers.mjs')).href];
  const reason = expect.stringMatching(/^this runtime allows no external buffers\. /);
  expect(await probe('auto', execArgv)).toEqual({ kind: 'js', reason, works: true });
  expect(await probe('native', execArgv)).toMatchObject({
    code: 'ERR_SLABPOOL_BACKEND',
    message: expect.stringMatching(/\{ backend: 'native' \} cannot be had: this runtime allows no external buffers/),
  });
});

describe('an installation of its own', () => {
  let folder: string;
  let url: string;
  let prebuilt: string;
  const binary = builtBinary();
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'slabpool-backend-')));
    for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
    url = pathToFileURL(join(folder, 'dist/index.js')).href;
    prebuilt = place(folder, null);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Sources beside dist/, as in a clone, or where the addon was built by hand. */
  function withSources(): string {
    mkdirSync(join(folder, 'native'));
    mkdirSync(join(folder, 'build/Release'), { recursive: true });
    copyFileSync(join(root, 'native/addon.gypi'), join(folder, 'native/addon.gypi'));
    return join(folder, 'build/Release/slabpool.node');
  }

  test('P1: with nothing but its own files it loads natively', async () => {
    copyFileSync(binary, prebuilt);
    expect(await probe('native', [], url)).toMatchObject({ kind: 'native', works: true });
  });

  test('P3: without a binary the TypeScript core, with a reason that names the paths looked at', async () => {
    place(folder, binary);
    rmSync(prebuilt);
    // Not, by the manifest, that it is of another size.
    const reason = expect.stringMatching(
      RegExp(`^there is no native addon for ${HERE} \\((?!.*another size).*${BINARY}`),
    );
    expect(await probe('auto', [], url)).toEqual({ kind: 'js', reason, works: true });
    expect(await probe('native', [], url)).toMatchObject({
      code: 'ERR_SLABPOOL_BACKEND',
      message: expect.stringMatching(RegExp(`there is no native addon for .*${BINARY}`)),
    });
  });

  test('P3: what an application around us has built is not ours; what was built beside our sources is', async () => {
    copyFileSync(binary, prebuilt);
    const built = withSources();
    writeFileSync(built, 'not an addon');
    rmSync(join(folder, 'native'), { recursive: true });
    expect(await probe('native', [], url)).toMatchObject({ kind: 'native', works: true });
    rmSync(join(folder, 'build'), { recursive: true });
    withSources();
    copyFileSync(binary, built);
    rmSync(prebuilt);
    expect(await probe('native', [], url)).toMatchObject({ kind: 'native', works: true });
  });

  test('P4: the permission model with a narrow read scope: import touches nothing', async () => {
    copyFileSync(binary, prebuilt);
    const scope = [PERMISSION, `--allow-fs-read=${join(folder, 'dist')}/*`, `--allow-fs-read=${folder}/package.json`];
    scope.push(`--allow-fs-read=${fixture('backend.mjs')}`, `--allow-fs-read=${join(root, 'package.json')}`);
    scope.push(`--allow-fs-read=${join(root, 'test')}/*`);
    const disabled = { kind: 'js', reason: expect.stringContaining('native addons are disabled here'), works: true };
    expect(await probe('auto', scope, url)).toEqual(disabled);
    expect(await probe('auto', [...scope, '--allow-addons'], url)).toMatchObject({ kind: 'native', works: true });
  });

  test.skipIf(process.platform !== 'linux')(
    'P5: a binary of ours that this system cannot load: the TypeScript core, and a warning',
    async () => {
      place(folder, makeUnloadable(join(folder, 'unloadable.node')));
      const says = expect.stringMatching(/does not load on this system: .*libZ\..*cannot open|.*libZ/);
      expect(await probe('auto', [], url)).toEqual({
        kind: 'js',
        reason: says,
        works: true,
        warnings: [{ name: 'SlabPoolWarning', code: 'SLABPOOL_BACKEND', message: says }],
      });
      expect(await probe('native', [], url)).toMatchObject({ code: 'ERR_SLABPOOL_BACKEND', message: says });
      expect(await probe('js', [], url)).toMatchObject({ kind: 'js', works: true });
    },
  );

  const broken = [
    ['garbage', (_: string) => Buffer.from('this is no shared library\n'.repeat(100))],
    ['empty', (_: string) => Buffer.alloc(0)],
    // One that is cut off in the middle kills the process when it is loaded.
    ['cut off', (origin: string) => readFileSync(binary).subarray(0, origin === 'prebuilt' ? 100_000 : 60)],
  ] as const;
  describe.each(['prebuilt', 'built here'])('P5: with a broken binary that was %s', (origin) => {
    test.each(broken)('%s: an error that names the cause, never another core', async (_, content) => {
      place(folder, binary);
      const path = origin === 'prebuilt' ? prebuilt : withSources();
      rmSync(path, { force: true });
      writeFileSync(path, content(origin));
      for (const backend of ['auto', 'native']) {
        const error = await probe(backend, [], url);
        expect(error).toMatchObject({ name: 'SlabPoolError', code: 'ERR_SLABPOOL_BACKEND' });
        const { message } = error as { message: string };
        expect(message).toContain(path);
        expect(message).toMatch(
          origin === 'prebuilt'
            ? /is cut off, or not ours, and does not load: .*Install slabpool again, or .*backend: 'js'/
            : /was built here, but does not load: .*npx slabpool build.*backend: 'js'/,
        );
      }
      expect(await probe('js', [], url)).toMatchObject({ kind: 'js', works: true });
    });
  });

  const modules = join(root, 'node_modules');
  const [foreign] = readdirSync(modules, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name.endsWith('.node') && name.includes(HERE),
  );
  test.skipIf(foreign === undefined)(
    "P3: an addon that is somebody else's, under our name: an error, never another core",
    async () => {
      copyFileSync(join(modules, foreign as string), prebuilt);
      for (const backend of ['auto', 'native']) {
        expect(await probe(backend, [], url)).toMatchObject({
          code: 'ERR_SLABPOOL_BACKEND',
          message: expect.stringMatching(/should be the native addon is something else: .*Install slabpool again/),
        });
      }
    },
  );
});
