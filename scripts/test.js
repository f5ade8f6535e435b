// npm test [-- SUITE[:PART] ...]: builds everything from source and runs the suites; the last line adds them up.
//
//   vitest    the library, on this Node
//   native    the core alone: unit tests, stress under sanitizers, model checking, fuzzing (native/test)
//   runtimes  the vitest suite on other releases of Node
//   realms    a small suite under Jest, with jsdom and in CommonJS, and with sinon's fake timers
//   types     the declarations, with several versions of TypeScript
//   install   the package, by several package managers
//   bundlers  a program with a worker, bundled by each
//   hosts     Bun, Deno, Node with restrictive flags, single executables
//   platforms the binaries of other systems: an older glibc, musl, arm64 by QEMU, Windows by Wine; or those whose names begin with PART
//   platform-tests  files of the vitest suite on some of those, for an hour
//
// Not by default, since they download what they need: all but the first two. `npm run test:all` runs every one.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Cases } from './matrix/cases.js';
import { bin, buildLibrary, node, root } from './run.js';
import { installRuntimes } from './runtimes.js';
import { vitest } from './vitest.js';

/** @typedef {{ passed: number, failed: number }} Count */

const MATRIX = ['realms', 'types', 'install', 'bundlers', 'hosts', 'platforms', 'platform-tests'];
const SUITES = ['vitest', 'native', 'runtimes', ...MATRIX];
const suites = process.argv.slice(2);
const chosen = suites.includes('--all') ? SUITES : suites.length > 0 ? suites : ['vitest', 'native'];
const unknown = chosen.find((suite) => !SUITES.includes(nameOf(suite)));
if (unknown !== undefined) {
  console.error(`npm test: expected suites of ${SUITES.join(', ')}, got '${unknown}'`);
  process.exit(2);
}

headline('build');
if (!buildLibrary() || !node(bin.nodeGyp, ['rebuild', '--silent'])) process.exit(1);

/** @type {Count[]} */
const counts = [];
if (chosen.includes('vitest')) {
  headline(`vitest on Node ${process.versions.node}`);
  counts.push(vitest(process.execPath));
}
if (chosen.includes('native')) {
  headline('native core');
  counts.push(await native());
}
if (chosen.includes('runtimes')) {
  for (const { name, execPath } of installRuntimes()) {
    headline(`vitest on ${name}`);
    counts.push(vitest(execPath));
  }
}
for (const suite of chosen.filter((name) => MATRIX.includes(nameOf(name)))) {
  headline(suite);
  const cases = new Cases();
  await (await import(`./matrix/${nameOf(suite)}.js`)).run(cases, ...suite.split(':').slice(1));
  counts.push(cases);
}

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

/** @returns {Promise<Count>} */
async function native() {
  const child = spawn('bash', ['native/test/run.sh'], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  let output = '';
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    output += chunk;
  }
  const [code] = await closed;
  const closing = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)].pop();
  const ok = code === 0 && closing !== undefined;
  const count = { passed: Number(closing?.[1] ?? 0), failed: Number(closing?.[2] ?? 0) };
  return ok ? count : { ...count, failed: Math.max(1, count.failed) };
}
