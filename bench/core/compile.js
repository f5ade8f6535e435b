import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { units } from '../../native/source-hash.js';
import { COMPILER } from './mallocs.js';

/**
 * Compiles a program together with the C++ core.
 * @param {string} program where it goes
 * @param {string} tree that the sources lie in, as in the repository
 * @param {string} main the program's own source, from there
 * @param {{ flags: readonly string[], asOne: boolean }} how `asOne`: as one unit, which takes a third of the time, and lets the compiler
 * inline what it does not in the package
 */
export function compile(program, tree, main, { flags, asOne }) {
  const sources = [main, ...units.filter((path) => path.startsWith('native/core/'))].map((path) => join(tree, path));
  const whole = `${program}.cc`;
  if (asOne) writeFileSync(whole, sources.map((path) => `#include "${path}"\n`).join(''));
  execFileSync(COMPILER, [
    ...['-std=c++20', '-fno-exceptions', '-fno-rtti', '-pthread', '-I', join(tree, 'native'), '-o', program, ...flags],
    ...[...(asOne ? ['-Wno-subobject-linkage', whole] : sources), '-ldl'],
  ]);
}
