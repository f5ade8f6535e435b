import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BINARY, builtBinary, HERE, install, makeUnloadable, pack, place } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { run } from './child.js';

const CLI = join(root, 'dist/cli/main.js');
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

const folder = mkdtempSync(join(tmpdir(), 'slabpool-doctor-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('doctor', () => {
  interface Report {
    healthy: boolean;
    checks: { id: string; status: string; text: string; advice: string; figures: Record<string, unknown> }[];
  }

  async function doctor(script = CLI, execArgv: readonly string[] = []) {
    const ended = await run(script, ['doctor', '--json'], { execArgv: ['--no-warnings', ...execArgv] });
    expect(ended).toMatchObject({ signal: null, stderr: '' });
    const { healthy, checks } = JSON.parse(ended.stdout) as Report;
    expect(ended.code).toBe(healthy ? 0 : 1);
    return { healthy, checks, of: (id: string) => checks.find((check) => check.id === id) };
  }

  test('on the native core', async () => {
    const { healthy, checks, of } = await doctor();
    expect(healthy).toBe(true);
    expect(checks.map(({ id }) => id)).toEqual([
      'runtime',
      'backend',
      'leases',
      'threads',
      'speed',
      'alignment',
      'page-faults',
      'using',
      'pages',
      'limits',
      'address-space',
    ]);
    expect(of('runtime')?.figures).toMatchObject({
      runtime: 'Node',
      version: process.version,
      node: process.version,
      platform: process.platform,
    });
    expect(of('backend')).toMatchObject({ status: 'ok', figures: { kind: 'native', binary: 'built' } });
    for (const id of ['leases', 'threads']) expect(of(id)?.status).toBe('ok');
    const positive = expect.toSatisfy((ratio: number) => ratio > 0);
    expect(of('speed')?.figures).toEqual({ allocUnsafeOverPool4000B: positive, allocUnsafeOverPool64KiB: positive });
    expect(of('alignment')?.figures).toEqual({ misalignedOverAligned: positive });
    const { populates, ...microseconds } = of('page-faults')?.figures ?? {};
    expect(of('page-faults')?.status).toBe(populates === true ? 'ok' : 'note');
    expect(microseconds).toEqual({
      faultMicroseconds: positive,
      populatedMicroseconds: populates === true ? positive : null,
    });
    const knowsUsing = spawnSync(process.execPath, ['-e', '{ using x = null; }']).status === 0;
    expect(of('using')).toMatchObject({ status: knowsUsing ? 'ok' : 'note', figures: { known: knowsUsing } });
  });

  test.skipIf(process.platform !== 'linux')('facts of a Linux are those of the system', async () => {
    const { of } = await doctor();
    const pageBytes = Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
    // The kernels that have MADV_POPULATE_WRITE.
    const [major = 0, minor = 0] = release().split('.').map(Number);
    expect(of('page-faults')?.figures).toMatchObject({ populates: major > 5 || (major === 5 && minor >= 14) });
    const thp = '/sys/kernel/mm/transparent_hugepage/enabled';
    const mode = existsSync(thp) ? readFileSync(thp, 'utf8').match(/\[(\w+)\]/)?.[1] : null;
    expect(of('pages')?.figures).toMatchObject({ pageBytes, hugePages: mode });
    const limited = spawnSync('sh', [
      '-c',
      'ulimit -v 64000000; exec "$@"',
      'sh',
      process.execPath,
      CLI,
      'doctor',
      '--json',
    ]);
    const { checks } = JSON.parse(String(limited.stdout)) as Report;
    expect(checks.find(({ id }) => id === 'address-space')).toMatchObject({
      status: 'note',
      figures: { addressSpaceLimit: String(64_000_000 * 1024) },
    });
  });

  test('for people', async () => {
    const { code, stdout, stderr } = await run(CLI, ['doctor']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const id of ['runtime', 'backend', 'leases', 'threads', 'speed', 'pages', 'limits'])
      expect(stdout).toContain(id);
    expect(stdout).toMatch(/\nslabpool works here\.\n$/);
  });

  describe('where the native core cannot run: what was found, and what to do', () => {
    const noExternalBuffers = pathToFileURL(join(root, 'test/fixtures/no-external-buffers.mjs')).href;
    /** An installation of its own. */
    function installation(binary: string | null): string {
      const alone = mkdtempSync(join(folder, 'alone-'));
      for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(alone, part), { recursive: true });
      place(alone, binary);
      return join(alone, 'dist/cli/main.js');
    }
    const linux = process.platform === 'linux';

    test.each([
      ['addons are disabled', () => CLI, ['--no-addons'], /native addons are disabled here \(/, /^Allow them, where/],
      [
        'no external buffers',
        () => CLI,
        ['--import', noExternalBuffers],
        /this runtime allows no external buffers$/,
        /^Nothing else helps in this process/,
      ],
      [
        'no binary, as in a bundle',
        () => installation(null),
        [],
        RegExp(`there is no native addon for ${HERE} \\(.*${BINARY}`),
        /^If slabpool was bundled, mark it as external; otherwise 'npx slabpool build' builds one/,
      ],
      ...(linux
        ? [
            [
              'a binary that this system does not load',
              () => installation(makeUnloadable(join(folder, 'unloadable.node'))),
              [],
              /the native addon does not load on this system: .*libZ\./,
              /^Unless that says what to do: 'npx slabpool build' builds one/,
            ] as const,
          ]
        : []),
    ] as const)('%s', async (_, script, execArgv, found, advice) => {
      const { healthy, of } = await doctor(script(), execArgv);
      expect(healthy).toBe(true);
      expect(of('backend')).toMatchObject({
        status: 'note',
        text: expect.stringMatching(found),
        advice: expect.stringMatching(advice),
        figures: { kind: 'js' },
      });
      expect(of('backend')?.advice).toMatch(/\. The TypeScript core works; it serves one thread/);
      expect(of('leases')?.status).toBe('ok');
      expect(of('threads')?.status).toBe('note');
      expect(of('alignment')?.status).toBe('note');
      expect(of('page-faults')).toMatchObject({ status: 'note', figures: {} });
    });
  });

  test('where workers are forbidden, the hand-over is not tried', async () => {
    const { healthy, of } = await doctor(CLI, [PERMISSION, '--allow-fs-read=*', '--allow-addons']);
    expect(healthy).toBe(true);
    expect(of('backend')?.figures).toMatchObject({ kind: 'native' });
    expect(of('threads')).toMatchObject({ status: 'note', text: expect.stringMatching(/permission model/) });
  });

  test('a heap that takes all the memory there is: a budget cannot be proposed', async () => {
    const { healthy, of } = await doctor(CLI, ['--max-old-space-size=1000000']);
    expect(healthy).toBe(true);
    expect(of('limits')).toMatchObject({ status: 'note', figures: { suggestedMostBytes: 0 } });
  });

  test('a broken binary is a problem, and the rest is told nevertheless', async () => {
    const broken = join(folder, 'broken');
    for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(broken, part), { recursive: true });
    writeFileSync(place(broken, builtBinary()), 'this is no shared library');
    const { healthy, of } = await doctor(join(broken, 'dist/cli/main.js'));
    expect(healthy).toBe(false);
    expect(of('backend')).toMatchObject({
      status: 'problem',
      text: expect.stringMatching(/does not load.*Install slabpool again/),
    });
    expect(of('runtime')?.status).toBe('ok');
    expect(of('leases')).toBeUndefined();
    const { code, stdout } = await run(join(broken, 'dist/cli/main.js'), ['doctor']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/\nProblems: 1\. /);
  });

  describe('installed from the packed package', () => {
    let command: string;
    beforeAll(() => {
      const installed = install(folder, pack(folder));
      const { bin } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
      command = join(installed, bin.slabpool);
    });

    test.skipIf(process.platform === 'win32')('as the command that npm links to', () => {
      expect(realpathSync(join(folder, 'node_modules/.bin/slabpool'))).toBe(realpathSync(command));
      expect(readFileSync(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
      expect(statSync(command).mode & 0o111).toBe(0o111);
    });

    test.each([
      ['native', []],
      ['js', ['--no-addons']],
    ] as const)('works on the %s core', async (kind, execArgv) => {
      const { healthy, of } = await doctor(command, execArgv);
      expect(healthy).toBe(true);
      const binary = kind === 'native' ? { binary: 'prebuilt' } : {};
      expect(of('backend')?.figures).toMatchObject({ kind, ...binary });
    });

    test('prints columns where there is no library for tables', async () => {
      const { code, stdout, stderr } = await run(command, ['doctor']);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^check {10}state {1,4}what was found\nruntime {8}ok /);
    });
  });
});
