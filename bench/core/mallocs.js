// The allocators that the core is compared with: that of the C library, and those of Debian's packages, loaded in its place.
import { execFileSync } from 'node:child_process';
import { isAbsolute } from 'node:path';
import { ensureDebian } from '../../scripts/run.js';

/** @typedef {{ name: string, preload: string }} Malloc `preload`: the path of its library, or '' */

export const COMPILER = 'g++';

const LIBRARIES = [
  { name: 'jemalloc', file: 'libjemalloc.so', debian: 'libjemalloc-dev' },
  { name: 'tcmalloc', file: 'libtcmalloc_minimal.so', debian: 'libgoogle-perftools-dev' },
  { name: 'mimalloc', file: 'libmimalloc.so', debian: 'libmimalloc-dev' },
];

/** Those that are here, or can be installed. @returns {Malloc[]} */
export function mallocs() {
  const missing = LIBRARIES.filter(({ file }) => pathOf(file) === '');
  try {
    const packages = missing.map(({ debian }) => debian);
    ensureDebian(missing.length === 0, packages);
  } catch (error) {
    console.log(`without ${missing.map(({ name }) => name).join(', ')}: ${/** @type {Error} */ (error).message}`);
  }
  const found = LIBRARIES.map(({ name, file }) => ({ name, preload: pathOf(file) }));
  return [{ name: 'glibc', preload: '' }, ...found.filter(({ preload }) => preload !== '')];
}

/** Where the linker would find the library, or ''. @param {string} file */
function pathOf(file) {
  const path = execFileSync(COMPILER, [`-print-file-name=${file}`], { encoding: 'utf8' }).trim();
  return isAbsolute(path) ? path : '';
}
