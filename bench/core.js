import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { units } from '../native/source-hash.js';

export const title = 'the native core alone: refill + flush of a batch of 32 blocks of 4 KiB';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {import('./index.js').Context} context */
export async function run({ progress, facts }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  try {
    progress('compiling');
    const program = join(folder, 'core');
    execFileSync('g++', [
      ...['-std=c++20', '-O3', '-pthread', '-I', join(root, 'native'), '-o', program, join(root, 'bench/core.cc')],
      ...units.filter((path) => path.startsWith('native/core/')).map((path) => join(root, path)),
    ]);
    progress('running');
    facts(JSON.parse(execFileSync(program, { encoding: 'utf8' })));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
