// The package as strangers get it, with the binary of this platform as it is now: for tests.
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { loadBinary } from '../dist/core/binary.js';
import { describeBinary, manifestIn, readManifest } from './manifest.js';
import { output } from './matrix/cases.js';
import { root } from './run.js';

export const HERE = `${process.platform}-${process.arch}`;
export const BINARY = process.platform === 'linux' ? `slabpool.${libc()}.node` : 'slabpool.node';

function libc() {
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport());
  return header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** The binary that tests run on. */
export function builtBinary() {
  const binary = loadBinary();
  if ('reason' in binary) throw new Error(binary.reason);
  return binary.path;
}

/**
 * Packs what is published, into `folder`.
 * @param {string} folder
 * @param {string | null} binary null: without any
 * @returns {string} the tarball's path
 */
export function pack(folder, binary = builtBinary()) {
  const staged = join(folder, 'staged');
  mkdirSync(staged, { recursive: true });
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // binding.gyp is beside them in a clone, and must not come along.
  const also = ['package.json', 'README.md', 'LICENSE', 'binding.gyp'];
  for (const part of [...files.filter((/** @type {string} */ name) => !name.startsWith('!')), ...also]) {
    cpSync(join(root, part), join(staged, part), { recursive: true });
  }
  if (binary === null) rmSync(join(staged, 'prebuilds', HERE), { recursive: true, force: true });
  else place(staged, binary);
  // Scripts of the package would build dist/ again, under the other tests.
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  const name = execFileSync('npm', args, { cwd: staged, encoding: 'utf8', shell: process.platform === 'win32' });
  rmSync(staged, { recursive: true });
  return join(folder, name.trim());
}

/**
 * Installs a packed package into an empty project as npm does, from nothing but the tarball.
 * @param {string} folder of the project
 * @param {string} tarball
 * @param {readonly string[]} [options] of npm
 * @returns {string} where the package is
 */
export function install(folder, tarball, options = []) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  // Relative, since the shell of Windows takes a path with spaces apart.
  const args = ['install', '--offline', '--no-audit', '--cache', '.npm', ...options, relative(folder, tarball)];
  output('npm', args, { cwd: folder, shell: process.platform === 'win32' });
  return join(folder, 'node_modules/slabpool');
}

/**
 * A binary of this platform where a package has it; or nothing, and where it would be.
 * @param {string} folder of the package
 * @param {string | null} binary
 * @returns {string} its path there
 */
export function place(folder, binary) {
  const platform = join(folder, 'prebuilds', HERE);
  mkdirSync(platform, { recursive: true });
  const placed = join(platform, BINARY);
  if (binary === null) return placed;
  copyFileSync(binary, placed);
  const manifest = { ...readManifest(folder), [`${HERE}/${BINARY}`]: describeBinary(placed) };
  writeFileSync(manifestIn(folder), JSON.stringify(manifest));
  return placed;
}

/**
 * A binary of ours that needs a library which no system has, as it might a later version of one that this system has. ELF only.
 * @param {string} path where it is put
 */
export function makeUnloadable(path) {
  const content = readFileSync(builtBinary(), 'latin1').replaceAll(/libc\.(so\.6|musl)/g, 'libZ.$1');
  writeFileSync(path, content, 'latin1');
  return path;
}
