// Runs a command of the build with its output shown, for the other scripts.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The JavaScript entry point of an installed package's command, so that any Node can run it without a shell. */
export const bin = {
  biome: 'node_modules/@biomejs/biome/bin/biome',
  nodeGyp: 'node_modules/node-gyp/bin/node-gyp.js',
  prebuildify: 'node_modules/prebuildify/bin.js',
  tsc: 'node_modules/typescript/bin/tsc',
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
