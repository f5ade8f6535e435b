// Runs a command of the build with its output shown, for the other scripts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { sourceHash } from '../native/source-hash.js';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The JavaScript entry point of an installed package's command, so that any Node can run it without a shell. */
export const bin = {
  nodeGyp: 'node_modules/node-gyp/bin/node-gyp.js',
  prebuildify: 'node_modules/prebuildify/bin.js',
  tsc: 'node_modules/typescript/bin/tsc',
  typedoc: 'node_modules/typedoc/bin/typedoc',
  vitest: 'node_modules/vitest/vitest.mjs',
};

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @returns {boolean} whether it ended with code 0
 */
export function run(command, args, options) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options });
  if (error) throw error;
  return status === 0;
}

/** @param {string} script @param {readonly string[]} args @param {import('node:child_process').SpawnSyncOptions} [options] */
export function node(script, args = [], options) {
  return run(process.execPath, [script, ...args], options);
}

/** The modules in a folder, by their files' names. @param {string} folder @param {RegExp} extension */
function modulesIn(folder, extension) {
  const path = join(root, folder);
  const names = existsSync(path) ? /** @type {string[]} */ (readdirSync(path, { recursive: true })) : [];
  return names.filter((name) => extension.test(name)).map((name) => name.replace(extension, ''));
}

/** Brings dist/ up to date; anew, if a module has come or gone: what is left of one would be tested, and packed. */
export function buildLibrary() {
  const [sources, built] = [modulesIn('lib', /\.ts$/), modulesIn('dist', /(?<!\.d)\.js$/)];
  if (sources.sort().join() !== built.sort().join()) rmSync(join(root, 'dist'), { recursive: true, force: true });
  return node(bin.tsc, ['-p', 'tsconfig.build.json']);
}

/**
 * Whether the addon that would be loaded is made from the sources as they are now.
 * @param {boolean} [here] and was built here: a binary of the package will not do
 */
export function addonIsFresh(here = false) {
  const binary = pathToFileURL(join(root, 'dist/core/binary.js'));
  // In a process of its own: a file that is loaded cannot be replaced on Windows.
  const script = `
    const { addon, path } = (await import('${binary}')).loadBinary();
    console.log(JSON.stringify({ hash: addon?.sourceHash, path }));`;
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const { hash, path } = JSON.parse(stdout || '{}');
  return hash === sourceHash() && (!here || path === join(root, 'build/Release/slabpool.node'));
}

export function buildAddon() {
  return node(bin.nodeGyp, ['configure', 'build', '--silent', '--jobs=max']);
}

/**
 * Installs Debian packages unless `present` finds what they bring.
 * @param {boolean} present
 * @param {readonly string[]} packages
 * @param {number} [timeout] in milliseconds, for each call of apt-get, which then shows what it does
 */
export function ensureDebian(present, packages, timeout) {
  if (present) return;
  console.log(`Installing ${packages.join(', ')} ...`);
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  const apt = (/** @type {string[]} */ ...args) => {
    const quiet = timeout === undefined ? '-qq' : '-q';
    const [command, ...rest] = [...sudo, 'apt-get', quiet, ...args];
    const stdout = timeout === undefined ? 'ignore' : 'inherit';
    return run(/** @type {string} */ (command), rest, { stdio: ['ignore', stdout, 'inherit'], timeout });
  };
  if (!apt('install', '-y', ...packages) && !(apt('update') && apt('install', '-y', ...packages))) {
    throw new Error(`cannot install ${packages.join(', ')} with apt-get: please install what they contain by hand`);
  }
}

/** For each call of apt-get, in milliseconds. */
const APT_TIMEOUT_MS = 5 * 60_000;

/**
 * Installs Debian packages for what can be left out.
 * @param {readonly string[]} packages those that are missing
 * @returns {string | undefined} why they cannot be installed
 */
export function tryDebian(packages) {
  if (packages.length === 0) return undefined;
  const names = packages.join(' and ');
  if (!existsSync('/usr/bin/apt-get'))
    return `what Debian's packages ${names} contain is missing, and there is no apt-get`;
  try {
    ensureDebian(false, packages, APT_TIMEOUT_MS);
  } catch (error) {
    return /** @type {Error} */ (error).message;
  }
  return undefined;
}

/**
 * Installs npm packages into a folder of their own, for what only some commands need.
 * @param {string} folder below the root
 * @param {readonly string[]} packages all that belong in the folder: npm removes the others
 * @param {readonly string[]} files below the folder's node_modules, which are there once it is done
 * @param {readonly string[]} [integrity] of each package, for those that are not to change
 * @param {readonly string[]} [options] of `npm install`
 */
export function ensureNpm(folder, packages, files, integrity = [], options = []) {
  const path = join(root, folder);
  if (files.every((file) => existsSync(join(path, 'node_modules', file)))) return;
  console.log(`Installing ${packages.join(', ')} into ${folder}/ ...`);
  mkdirSync(path, { recursive: true });
  // A package of its own, so that npm does not take the project above for the place to install to.
  writeFileSync(join(path, 'package.json'), '{ "private": true }\n');
  if (
    !run('npm', ['install', '--no-save', '--ignore-scripts', '--loglevel=error', ...options, ...packages], {
      cwd: path,
    })
  ) {
    throw new Error(`npm cannot install ${packages.join(', ')}`);
  }
  const installed = readFileSync(join(path, 'node_modules/.package-lock.json'), 'utf8');
  const changed = integrity.findIndex((sum) => !installed.includes(`"${sum}"`));
  if (changed !== -1) throw new Error(`${packages[changed]} is not what it was: expected ${integrity[changed]}`);
}
