// What programs run on besides Node as it comes: Bun, Deno, Node with restrictive flags, single executables. On each the smoke test, the
// checks of test/realms and `slabpool doctor`, with slabpool installed from the packed package.
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from '../run.js';
import { installOthers } from '../runtimes.js';
import { vitest } from '../vitest.js';
import { Cases, inFolder, output, outputs } from './cases.js';
import { expectAnswer, PROGRAM, unpack } from './program.js';
import { BUN, DENO, versionOf } from './tools.js';

const { tools, bun, deno } = installOthers();
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

/**
 * @typedef {object} Host
 * @property {string} name
 * @property {string} command
 * @property {readonly string[]} [args]
 * @property {RegExp} [reason] why it is the TypeScript core; without it, the native one is expected
 * @property {boolean} [warns] that it is
 * @property {string} [runtime] how doctor calls it
 */

/** @param {string} folder with the programs @returns {readonly Host[]} */
function hosts(folder) {
  const onBun = { command: bun, runtime: `Bun ${versionOf(BUN)}` };
  const onDeno = { command: deno, runtime: `Deno ${versionOf(DENO)}` };
  const onNode = { command: process.execPath };
  const run = ['run', '--no-prompt'];
  const unpermitted = {
    reason: /^native addons are disabled here \(Requires ffi access .* --allow-ffi flag\)/,
    warns: true,
  };
  const disabled = { reason: /^native addons are disabled here \(--no-addons, or the permission model/ };
  const scope = [PERMISSION, `--allow-fs-read=${folder}/*`];
  const sandbox = pathToFileURL(join(root, 'test/fixtures/no-external-buffers.mjs')).href;
  return [
    { name: 'Bun', ...onBun },
    { name: 'Deno, -A', ...onDeno, args: ['run', '-A'] },
    { name: 'Deno, --allow-ffi, reads its own', ...onDeno, args: [...run, '--allow-ffi', `--allow-read=${folder}`] },
    { name: 'Deno, without permissions', ...onDeno, args: run, ...unpermitted },
    {
      ...{ name: 'Deno, narrow --allow-read and --allow-env', ...onDeno, ...unpermitted },
      args: [...run, `--allow-read=${folder}`, '--allow-env=HOME'],
    },
    ...['--frozen-intrinsics', '--disallow-code-generation-from-strings', '--jitless', '--disable-proto=throw'].map(
      (flag) => ({ name: `Node ${flag}`, ...onNode, args: [flag] }),
    ),
    { name: 'Node --no-addons', ...onNode, args: ['--no-addons'], ...disabled },
    { name: `Node ${PERMISSION}, reads its own`, ...onNode, args: scope, ...disabled },
    {
      name: `Node ${PERMISSION} --allow-addons --allow-worker`,
      ...{ ...onNode, args: [...scope, '--allow-addons', '--allow-worker'] },
    },
    {
      ...{ name: 'Node without external buffers', ...onNode, args: ['--import', sandbox] },
      reason: /^this runtime allows no external buffers/,
    },
  ];
}

/**
 * Tests of what is Node's or V8's: names of frames (JavaScriptCore has tail calls), when garbage is collected, how a process ends, flags,
 * native tools, other people's packages; and those with a clock of their own, since Bun's modules do not see that its timers were replaced.
 */
const NOT_ON_BUN = [
  ...['abort', 'binding', 'binding.process', 'debug-poison', 'leaks', 'leaks.thread', 'metrics', 'metrics.process'],
  ...['bench', 'misuse-tracked', 'object-misuse', 'oversize', 'reclaim', 'subscribers'],
  ...[
    'resource',
    'resource-failover',
    'resource-model',
    'resource-sharded',
    'worker-deaths.thread',
    'worker-pool.thread',
  ],
  ...['backend', 'cli', 'collections', 'demo', 'doctor', 'examples', 'exits', 'grants', 'io-parsers'].map(ofProcess),
  ...['metrics-example', 'object', 'page-size', 'prebuild', 'top'].map(ofProcess),
];

/** @param {string} name */
function ofProcess(name) {
  return `${name}.process`;
}

/** @param {Cases} cases */
export async function run(cases) {
  await inFolder(async (folder) => {
    const modules = join(folder, 'node_modules');
    mkdirSync(modules);
    renameSync(unpack(folder), join(modules, 'slabpool'));
    // Without one, Deno looks for no node_modules/.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    copyFileSync(join(root, 'scripts/smoke.mjs'), join(folder, 'smoke.mjs'));
    for (const file of ['plain.mjs', 'checks.mjs']) copyFileSync(join(root, 'test/realms', file), join(folder, file));
    for (const file of ['both-ways.mjs', 'required.cjs']) copyFileSync(join(PROGRAM, file), join(folder, file));
    for (const host of hosts(folder)) await onHost(cases, folder, host);
    // Elsewhere an executable would have to be signed again.
    if (process.platform === 'linux') await executables(cases, folder);
  });
  const { passed, failed } = vitest(bun, ['fast', 'threads', 'processes'], NOT_ON_BUN);
  cases.add('Bun: the behaviour suite', passed, failed);
}

/** @param {Cases} cases @param {string} folder @param {Host} host */
async function onHost(cases, folder, { name, command, args = [], reason, warns = false, runtime }) {
  const kind = reason === undefined ? 'native' : 'js';
  /** @param {string} program @param {readonly string[]} rest */
  const said = (program, ...rest) => outputs(command, [...args, join(folder, program), ...rest], { cwd: folder });
  await cases.check(`${name}: smoke, ${kind} core`, () => {
    const { stdout, stderr } = said('smoke.mjs', kind);
    const [core = '', count = ''] = stdout.trim().split('\n');
    if (reason !== undefined) assert.match(core.replace(/^js core: /, ''), reason);
    assert.match(count, /^\d{2,} passed, 0 failed$/);
    assert.equal(stderr.match(/SLABPOOL_BACKEND/g)?.length ?? 0, warns ? 1 : 0, stderr);
  });
  await cases.check(`${name}: checks`, () => {
    const { stdout } = said('plain.mjs', ...(kind === 'native' ? [] : ['js']));
    assert.match(stdout, /^\d+ passed, 0 failed$/m);
  });
  await cases.check(`${name}: import and require get one copy`, () => {
    assert.deepEqual(JSON.parse(said('both-ways.mjs').stdout), { kind, one: true });
  });
  await cases.check(`${name}: doctor`, () => {
    const { healthy, checks } = JSON.parse(said('node_modules/slabpool/dist/cli/main.js', 'doctor', '--json').stdout);
    const of = (/** @type {string} */ id) => checks.find((/** @type {{ id: string }} */ check) => check.id === id);
    assert.equal(healthy, true);
    assert.ok(of('runtime').text.startsWith(`${runtime ?? `Node ${process.version}`}, `), of('runtime').text);
    assert.equal(of('backend').figures.kind, kind);
    assert.match(of('backend').figures.reason, reason ?? /^the native addon is loaded$/);
  });
}

/**
 * The program and its worker as one CommonJS file each, in an executable with Node; which is then run far from slabpool.
 * @param {Cases} cases @param {string} folder
 */
async function executables(cases, folder) {
  const installed = join(folder, 'node_modules/slabpool');
  const ways = [
    { name: 'slabpool inside: the TypeScript core, and why', native: false, flags: [] },
    {
      name: 'slabpool beside it: the native core',
      native: true,
      flags: ['--external:slabpool', "--banner:js=require = require('node:module').createRequire(process.execPath);"],
      beside: 'node_modules/slabpool',
    },
    {
      name: 'slabpool inside, its prebuilds beside it: the native core',
      native: true,
      flags: [
        '--define:import.meta.url=here',
        "--banner:js=const here = require('node:url').pathToFileURL(process.execPath);",
      ],
      beside: 'prebuilds',
    },
  ];
  for (const { name, native, flags, beside } of ways) {
    await cases.check(`single executable, ${name}`, () =>
      inFolder((alone) => {
        const source = join(folder, 'source');
        try {
          cpSync(PROGRAM, source, { recursive: true });
          const program = executable(source, flags, join(alone, 'bin'));
          if (beside === 'prebuilds') cpSync(join(installed, beside), join(alone, beside), { recursive: true });
          else if (beside !== undefined) cpSync(installed, join(alone, beside), { recursive: true });
          const said = output(program, [], { cwd: alone });
          expectAnswer(said, { native, file: 'executable.cjs:', looked: 'import.meta.url: that is undefined here' });
        } finally {
          rmSync(source, { recursive: true, force: true });
        }
      }),
    );
  }
}

/** @param {string} source @param {readonly string[]} flags of esbuild @param {string} out @returns {string} */
function executable(source, flags, out) {
  const node = (/** @type {string[]} */ ...args) => output(process.execPath, args, { cwd: source });
  const bundle = ['--bundle', '--platform=node', '--format=cjs', '--log-level=error', '--out-extension:.js=.cjs'];
  const entries = ['executable.mjs', 'worker.mjs'];
  node(join(tools, 'esbuild/bin/esbuild'), ...entries, ...bundle, '--outdir=.', ...flags);
  const config = { main: 'executable.cjs', output: 'blob', assets: { worker: 'worker.cjs' } };
  writeFileSync(join(source, 'config.json'), JSON.stringify({ ...config, disableExperimentalSEAWarning: true }));
  node('--experimental-sea-config', 'config.json');
  const program = join(out, 'program');
  mkdirSync(out);
  copyFileSync(process.execPath, program);
  chmodSync(program, 0o755);
  const fuse = ['--sentinel-fuse', 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'];
  node(join(tools, 'postject/dist/cli.js'), program, 'NODE_SEA_BLOB', 'blob', ...fuse);
  return program;
}
