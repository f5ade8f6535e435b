import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { compile } from './core/compile.js';
import { mallocs } from './core/mallocs.js';
import { compared } from './measure.js';
import { logNormal, logNormalLarge } from './sizes.js';

export const title =
  'the native core alone: refill + flush of a batch of 32 blocks of 4 KiB; and blocks of 1 KiB to 1 MiB (log-normal) against ' +
  'malloc, with all settings as they come. Each measurement is a process of its own; first and last byte touched, time per ' +
  'block, RSS at its peak above what the process began with';

/** What core/main.cc is to do. @typedef {{ label: string, words: (string | number)[], rounds: number }} Workload */

const root = fileURLToPath(new URL('..', import.meta.url));

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  try {
    progress('compiling');
    const program = join(folder, 'core');
    compile(program, root, 'bench/core/main.cc', { flags: ['-O3'], asOne: effort.smoke });
    progress('refill and flush');
    facts(JSON.parse(execFileSync(program, ['refill-flush'], { encoding: 'utf8' })));

    const contenders = [{ name: 'slabpool', preload: '' }, ...mallocs()];
    for (const { label, words, rounds } of workloads(folder, effort)) {
      const results = takeTurns(contenders, program, words, rounds, (name) => progress(`${label}: ${name}`));
      report(label, results);
      const [, ...others] = results;
      facts({ [`${label}: time over the fastest malloc's`]: 1 / Math.min(...others.map(({ ratio }) => ratio)) });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @param {string} folder @param {import('./run.js').Context['effort']} effort @returns {Workload[]} */
function workloads(folder, { rounds, seconds, smoke }) {
  const scale = seconds / 0.2;
  const sizes = { 'median 2 KiB': join(folder, '2-KiB'), 'median 32 KiB': join(folder, '32-KiB') };
  // Below 1 KiB nobody needs a pool.
  for (const [path, drawn] of /** @type {const} */ ([
    [sizes['median 2 KiB'], logNormal],
    [sizes['median 32 KiB'], logNormalLarge],
  ])) {
    writeFileSync(path, new Uint8Array(drawn.map((size) => Math.max(1024, size)).buffer));
  }
  /**
   * @param {string} label @param {string} workload @param {keyof typeof sizes} size
   * @param {readonly [live: number, threads: number, blocks: number]} figures as in core/workload.h
   */
  const both = (label, workload, size, [live, threads, blocks]) =>
    [
      ['single', 'single blocks'],
      ['batch', 'batches'],
    ].map(([unit, units]) => ({
      label: `${label}, ${size}, ${units}`,
      words: [workload, /** @type {string} */ (unit), sizes[size], live, threads, Math.ceil(blocks * scale)],
      // Where threads meet, what the machine does otherwise counts the more.
      rounds: workload === 'live-set' || smoke ? rounds : 2 * rounds,
    }));
  return [
    ...both('live set of 1,024', 'live-set', 'median 2 KiB', [1024, 1, 2_000_000]),
    ...both('live set of 16,384', 'live-set', 'median 2 KiB', [16_384, 1, 2_000_000]),
    ...both('live set of 1,024', 'live-set', 'median 32 KiB', [1024, 1, 500_000]),
    ...both('xmalloc 1 + 1', 'xmalloc', 'median 2 KiB', [256, 1, 400_000]),
    ...both('xmalloc 2 + 2', 'xmalloc', 'median 2 KiB', [256, 2, 200_000]),
    ...both('xmalloc 1 + 1', 'xmalloc', 'median 32 KiB', [256, 1, 200_000]),
    ...both('xmalloc 2 + 2', 'xmalloc', 'median 32 KiB', [256, 2, 100_000]),
    ...both('larson, 2 threads with 5,000', 'larson', 'median 2 KiB', [5000, 2, 400_000]),
  ];
}

/**
 * @param {readonly import('./core/mallocs.js').Malloc[]} contenders @param {string} program
 * @param {readonly (string | number)[]} words @param {number} rounds @param {(name: string) => void} progress
 */
function takeTurns(contenders, program, [workload, ...words], rounds, progress) {
  const times = contenders.map(() => /** @type {number[]} */ ([]));
  const cpu = contenders.map(() => /** @type {number[]} */ ([]));
  const peaks = contenders.map(() => /** @type {number[]} */ ([]));
  const names = contenders.map(({ name }) => name);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const i = (round + turn) % contenders.length;
      const { name, preload } = /** @type {import('./core/mallocs.js').Malloc} */ (contenders[i]);
      progress(`${name}, round ${round + 1} of ${rounds}`);
      const contender = name === 'slabpool' ? 'slabpool' : 'malloc';
      const args = [workload, contender, ...words].map(String);
      const env = { ...process.env, LD_PRELOAD: preload };
      const { ns, cpuNs, peakRssMiB, malloc } = JSON.parse(execFileSync(program, args, { encoding: 'utf8', env }));
      if (contender === 'malloc') {
        if (!malloc.startsWith(name)) throw new Error(`expected the malloc of ${name}, had that of '${malloc}'`);
        names[i] = malloc; // with its version
      }
      times[i]?.push(ns);
      cpu[i]?.push(cpuNs);
      peaks[i]?.push(peakRssMiB);
    }
  }
  return times.map((own, i) => ({
    ...compared(/** @type {string} */ (names[i]), own, /** @type {number[]} */ (times[0])),
    cpuNs: median(/** @type {number[]} */ (cpu[i])),
    peakRssMiB: median(/** @type {number[]} */ (peaks[i])),
  }));
}
