import { copyFileSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { install, pack } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { TARGETS } from '../scripts/targets.js';
import { fixture, run } from './child.js';

/** Files below a folder, by their paths in it, with slashes. */
function filesIn(folder: string, under = ''): string[] {
  return readdirSync(join(folder, under), { withFileTypes: true }).flatMap((entry) => {
    const path = `${under}${entry.name}`;
    return entry.isDirectory() ? filesIn(folder, `${path}/`) : [path];
  });
}

describe('P1: the packed package, installed by npm', () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slabpool-install-')));
  /** One by the name that it has, one by what else may be in a path. */
  const projects = { 'scripts allowed': join(folder, 'allowed'), 'scripts blocked': join(folder, '100 % bloqué #1') };
  const packageOf = (project: string) => join(project, 'node_modules/slabpool');
  beforeAll(() => {
    const tarball = pack(folder);
    install(projects['scripts allowed'], tarball);
    install(projects['scripts blocked'], tarball, ['--ignore-scripts']);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has nothing for which a package manager would run or fetch anything', () => {
    const manifest = JSON.parse(readFileSync(join(packageOf(projects['scripts allowed']), 'package.json'), 'utf8'));
    for (const script of ['preinstall', 'install', 'postinstall', 'prepare']) {
      expect(manifest.scripts).not.toHaveProperty(script);
    }
    for (const kind of ['dependencies', 'optionalDependencies', 'bundleDependencies', 'bundledDependencies']) {
      expect(manifest).not.toHaveProperty(kind);
    }
    for (const peer of Object.keys(manifest.peerDependencies)) {
      expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true });
    }
  });

  test('has what it needs, and no binding.gyp, tests or left-overs of builds', () => {
    const ofLibrary = filesIn(join(root, 'lib')).flatMap((file) => {
      const compiled = `dist/${file.slice(0, -'.ts'.length)}`;
      return [`lib/${file}`, ...['.js', '.js.map', '.d.ts', '.d.ts.map'].map((kind) => `${compiled}${kind}`)];
    });
    const expected = [
      ...['CHANGELOG.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json', 'prebuilds/manifest.json'],
      ...filesIn(join(root, 'docs'))
        .filter((file) => !file.startsWith('api/'))
        .map((file) => `docs/${file}`),
      ...ofLibrary,
      ...filesIn(join(root, 'native'), '')
        .map((file) => `native/${file}`)
        .filter((file) => !file.startsWith('native/test/')),
      ...TARGETS.map(({ name }) => `prebuilds/${name}`),
      ...filesIn(join(root, 'require')).map((file) => `require/${file}`),
    ];
    for (const project of Object.values(projects)) {
      expect(filesIn(packageOf(project)).sort()).toEqual([...expected].sort());
    }
  });

  describe.each(Object.entries(projects))('%s', (_, project) => {
    test.each(['smoke.mjs', 'smoke.cjs'])('%s runs on the native core, in two threads', async (name) => {
      const program = join(project, name);
      copyFileSync(join(root, 'scripts', name), program);
      const ended = await run(program, ['native']);
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(ended.stdout).toMatch(/^native core: the native addon is loaded\n/);
    });
  });

  test('two copies in one process refuse what is the other one', async () => {
    const urls = Object.values(projects).map(
      (project) => pathToFileURL(join(packageOf(project), 'dist/index.js')).href,
    );
    const ended = await run(fixture('two-packages.mjs'), urls);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(JSON.parse(ended.stdout)).toEqual({
      copies: 2,
      unharmed: true,
      refusals: {
        release: [
          'ERR_SLABPOOL_INVALID_ARG',
          expect.stringMatching(/class Lease that is not of this copy of slabpool$/),
        ],
        send: ['ERR_SLABPOOL_INVALID_ARG', expect.stringMatching(/class Lease that is not of this copy of slabpool$/)],
        attach: ['ERR_SLABPOOL_BACKEND', expect.stringContaining('another copy')],
        'attach to a channel': ['ERR_SLABPOOL_BACKEND', expect.stringContaining('another copy')],
        'make a channel': [
          'ERR_SLABPOOL_INVALID_ARG',
          expect.stringMatching(/class BufferPool that is not of this copy/),
        ],
        adopt: ['ERR_SLABPOOL_STALE_TICKET', expect.any(String)],
      },
    });
  });
});
