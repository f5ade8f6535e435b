// npm test [-- SUITE[:PART] ...]: builds what has changed and runs the suites; the last line adds them up. Without suites: fast and unit,
// which is what a change needs.
//
//   fast       the library, on this Node: what needs no other threads or processes
//   threads    the library: worker threads (test/*.thread.test.ts), and vitest's own
//   processes  the library: programs, and what takes long (test/*.process.test.ts)
//   vitest     these three
//   servers    the pools with real servers on loopback: PostgreSQL, Redis
//   browser    the page of the benchmarks, in Chromium
//   bench      every benchmark, as little of it as makes everything happen
//   unit       the core's unit tests, if there is a compiler
//   native     the core alone: unit tests, stress under sanitizers, model checking, fuzzing (native/test)
//   runtimes   the library on other releases of Node: all of it on the last one, what depends on the release on the others
//   realms     a small suite under Jest, with jsdom and in CommonJS, and with sinon's fake timers
//   types      the declarations, with several versions of TypeScript
//   install    the package, by several package managers
//   bundlers   a program with a worker, bundled by each
//   hosts      Bun, Deno, Node with restrictive flags, single executables
//   platforms  the binaries of other systems: an older glibc, musl, arm64 by QEMU, Windows by Wine; or those whose names begin with PART
//   platform-tests  files of the vitest suite on some of those, for an hour
//
// `servers`, `browser`, and those from `native` on, install what they need. `npm run test:all` runs vitest, servers, native and all that follow but the
// last.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { installBrowser } from './browser.js';
import { refreshBinaries } from './manifest.js';
import { addonIsFresh, buildAddon, buildLibrary, root } from './run.js';
import { installRuntimes } from './runtimes.js';
import { installServers } from './servers.js';
import { vitest } from './vitest.js';

/** @typedef {{ passed: number, failed: number }} Count */

/** Projects of vitest.config.ts. @type {Record<string, string[]>} */
const VITEST = {
  fast: ['fast'],
  threads: ['threads', 'realms-*'],
  processes: ['processes'],
  vitest: ['fast', 'threads', 'realms-*', 'processes'],
};
const MATRIX = ['realms', 'types', 'install', 'bundlers', 'hosts', 'platforms', 'platform-tests'];
/** Projects of vitest.config.ts that need what is installed first. @type {Record<string, () => string | undefined>} */
const INSTALLED = { servers: installServers, browser: installBrowser };
const SUITES = [...Object.keys(VITEST), ...Object.keys(INSTALLED), 'bench', 'unit', 'native', 'runtimes', ...MATRIX];
/** What takes longest first, since two of the last ones run at once. */
const ALL = [
  'vitest',
  'servers',
  'browser',
  'bench',
  'native',
  'runtimes',
  'platforms',
  'hosts',
  'bundlers',
  'install',
  'types',
  'realms',
];
const suites = process.argv.slice(2);
const chosen = suites.includes('--all') ? ALL : suites.length > 0 ? suites : ['fast', 'unit'];
const unknown = chosen.find((suite) => !SUITES.includes(nameOf(suite)));
if (unknown !== undefined) {
  console.error(`npm test: expected suites of ${SUITES.join(', ')}, got '${unknown}'`);
  process.exit(2);
}

headline('build');
if (!buildLibrary() || !(addonIsFresh(true) || buildAddon() || hasOther())) process.exit(1);

/** @type {Count[]} */
const counts = [];
for (const [name, projects] of Object.entries(VITEST)) {
  if (!chosen.includes(name)) continue;
  headline(`${name} on Node ${process.versions.node}`);
  counts.push(vitest(process.execPath, projects));
}
for (const [name, install] of Object.entries(INSTALLED)) {
  if (!chosen.includes(name)) continue;
  headline(name);
  const missing = install();
  if (missing !== undefined) console.log(`skipped: ${missing}`);
  counts.push(missing === undefined ? vitest(process.execPath, [name]) : { passed: 0, failed: 0 });
}
if (chosen.includes('bench')) {
  headline('bench');
  counts.push(await counted(process.execPath, ['bench/index.js', '--smoke']));
}
for (const name of ['unit', 'native']) {
  if (!chosen.includes(name)) continue;
  headline(`core: ${name}`);
  counts.push(await native(name === 'unit' ? ['--unit'] : []));
}
if (chosen.includes('runtimes')) {
  for (const { name, execPath, leftOut } of installRuntimes()) {
    headline(`vitest on ${name}`);
    counts.push(vitest(execPath, /** @type {string[]} */ (VITEST['vitest']), leftOut));
  }
}
const matrix = chosen.filter((name) => MATRIX.includes(nameOf(name)));
// Before any of them packs prebuilds/.
if (matrix.some((name) => name.startsWith('platform'))) refreshBinaries();
// Most of them use one core.
await Promise.all(Array.from({ length: Math.min(2, availableParallelism(), matrix.length) }, runOneByOne));

const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/** @param {string} suite */
function nameOf(suite) {
  return suite.replace(/:.*/, '');
}

/** @param {string} title */
function headline(title) {
  console.log(`\n== ${title} ==`);
}

/** Where the addon cannot be built, the package's own binary will do if it is of the same sources. */
function hasOther() {
  const fresh = addonIsFresh();
  console.log(
    fresh
      ? 'skipped: building the addon, which needs a C++ compiler and make; the tests are of the binary in prebuilds/'
      : 'the addon is not built, and there is no binary in prebuilds/ that is made from the sources as they are now',
  );
  return fresh;
}

/** Takes suites of the matrix, and runs each in a process of its own. */
async function runOneByOne() {
  for (let suite = matrix.shift(); suite !== undefined; suite = matrix.shift()) {
    counts.push(await counted(process.execPath, ['scripts/matrix/run.js', suite], `\n== ${suite} ==\n`));
  }
}

/** @param {readonly string[]} args of native/test/run.sh @returns {Promise<Count>} */
async function native(args) {
  if (process.platform === 'win32') {
    console.log("skipped: the core's own tests are not for Windows");
    return { passed: 0, failed: 0 };
  }
  return counted('bash', ['native/test/run.sh', ...args]);
}

/**
 * Runs a command that says at its end how many passed and failed.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {string} [title] what it prints is shown at its end, below this: others run meanwhile
 * @returns {Promise<Count>}
 */
async function counted(command, args, title) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    if (title === undefined) process.stdout.write(chunk);
    output += chunk;
  }
  const [code] = await closed;
  if (title !== undefined) process.stdout.write(title + output);
  const closing = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].pop();
  const ok = code === 0 && closing !== undefined;
  const count = { passed: Number(closing?.[1] ?? 0), failed: Number(closing?.[2] ?? 0) };
  return ok ? count : { ...count, failed: Math.max(1, count.failed) };
}
