// Runs a command of the build with its output shown, for the other scripts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

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

/** Makes dist/ anew: what is left of a module that has gone would be packed. */
export function buildLibrary() {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  return node(bin.tsc, ['-p', 'tsconfig.build.json']);
}

/**
 * Installs Debian packages unless `present` finds what they bring.
 * @param {boolean} present
 * @param {readonly string[]} packages
 */
export function ensureDebian(present, packages) {
  if (present) return;
  console.log(`Installing ${packages.join(', ')} ...`);
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  const apt = (/** @type {string[]} */ ...args) => {
    const [command, ...rest] = [...sudo, 'apt-get', '-qq', ...args];
    return run(/** @type {string} */ (command), rest, { stdio: ['ignore', 'ignore', 'inherit'] });
  };
  if (!apt('install', '-y', ...packages) && !(apt('update') && apt('install', '-y', ...packages))) {
    throw new Error(`cannot install ${packages.join(', ')} with apt-get: please install what they contain by hand`);
  }
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
