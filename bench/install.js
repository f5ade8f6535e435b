import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median } from 'simple-statistics';
import { BINARY, HERE, install, pack } from '../scripts/package.js';
import { root } from '../scripts/run.js';
import { compared } from './measure.js';

export const title = 'the package: its size, and how long a process takes that imports it';

const FIRST_LEASE = 'pool.acquire(4096).release(); pool.close();';
/** Programs, by what they do; the first does nothing. */
const PROGRAMS = {
  'an empty module': { 'empty.mjs': '' },
  "import 'slabpool'": { 'import.mjs': "import 'slabpool';" },
  "require('slabpool')": { 'require.cjs': "require('slabpool');" },
  'import, first pool and lease': {
    'first.mjs': `import { BufferPool } from 'slabpool'; const pool = new BufferPool(); ${FIRST_LEASE}`,
  },
  'import, first pool and lease, TypeScript core': {
    'js.mjs': `import { BufferPool } from 'slabpool'; const pool = new BufferPool({ backend: 'js' }); ${FIRST_LEASE}`,
  },
};

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const rounds = effort.smoke ? 1 : 20;
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  try {
    const tarball = pack(folder, join(root, 'prebuilds', HERE, BINARY));
    const files = filesIn(install(folder, tarball));
    const programs = Object.values(PROGRAMS).flatMap(Object.entries);
    for (const [name, text] of programs) writeFileSync(join(folder, name), text);

    /** @type {number[][]} */
    const times = programs.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < programs.length; turn++) {
        const i = (round + turn) % programs.length;
        const [name] = /** @type {[string, string]} */ (programs[i]);
        progress(`${name}, round ${round + 1} of ${rounds}`);
        /** @type {number[]} */ (times[i]).push(timeOf(join(folder, name)));
      }
    }
    const [empty = []] = times;
    const names = Object.keys(PROGRAMS);
    report(
      'a process from its start to its end',
      names.map((name, i) => compared(name, times[i] ?? [], empty)),
    );
    facts({
      'packed, bytes': statSync(tarball).size,
      'unpacked, bytes': files.reduce((sum, path) => sum + statSync(path).size, 0),
      files: files.length,
      ...Object.fromEntries(
        names.slice(1).map((name, i) => {
          const more = /** @type {number[]} */ (times[i + 1]).map(
            (ns, round) => ns - /** @type {number} */ (empty[round]),
          );
          return [`${name}: ms more than an empty module`, Number((median(more) / 1e6).toFixed(1))];
        }),
      ),
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} program @returns {number} nanoseconds from its start to its end */
function timeOf(program) {
  const started = process.hrtime.bigint();
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  const ns = Number(process.hrtime.bigint() - started);
  if (status !== 0) throw new Error(stderr);
  return ns;
}

/** @param {string} folder @returns {string[]} */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
