import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { compile } from './core/compile.js';
import { simulate } from './core/writes/simulate.js';
import { logNormal } from './sizes.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const CORES = availableParallelism();
const THREADS = [1, 2, 4, 8];
/** By core/writes/main.cc, and how many threads each of its threads stands for. */
const WORKLOADS = /** @type {const} */ ([
  ['live-set', 'each thread on its own', 1],
  ['xmalloc', 'handed over', 2],
]);
/** Cores of the machine that is predicted. */
const MANY = 64;

/** What is written to, by the file that does, and how. `lines`: so many there are in all, however many threads and blocks. */
const SHARED = /** @type {const} */ ([
  { what: 'the words of the blocks', file: 'block_state.h' },
  { what: "the threads' own counters", file: 'member.h' },
  { what: 'links of free batches', file: 'tagged_stack.h', kind: 's' },
  { what: 'heads of depots', file: 'tagged_stack.h', kind: 'm' },
  { what: 'cells of the ring', file: 'ring.h', kind: 's' },
  { what: 'head and tail of the ring', file: 'ring.h', kind: 'm', lines: 2 },
  { what: 'the budget', file: 'budget.h', lines: 1 },
  { what: 'the peak', file: 'peak.h', lines: 1 },
]);

export const title =
  'the core alone: how often each shared line is written, and moves from core to core, for each block; singles, median 2 KiB. ' +
  `Counted by an instrumented build, and what follows for ${MANY} cores`;

/** @typedef {{ blocks: number, ns: number, cpuNs: number, places: { file: string, line: number, kind: 's' | 'm', writes: number, moved: number }[] }} Counts */

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-writes-'));
  const sizes = join(folder, 'sizes');
  const blocks = Math.ceil((1_000_000 * effort.seconds) / 0.2);
  writeFileSync(sizes, new Uint8Array(logNormal.map((size) => Math.max(1024, size)).buffer));
  try {
    progress('compiling');
    const plain = compiled(folder, 'plain');
    const counting = compiled(folder, 'counting');
    // The least: where one of the two threads does not run, the other one waits.
    const moveNs = Math.min(...Array.from({ length: 5 * effort.rounds }, () => Number(execFileSync(plain, ['moves']))));
    facts({ 'ns to move a line to the other core': moveNs });
    for (const [workload, label, crew] of WORKLOADS) {
      const all = THREADS.map((threads) => {
        progress(`${label}, ${threads * crew} threads`);
        const runs = Array.from({ length: effort.rounds }, () => counted(plain, workload, sizes, threads, blocks));
        return {
          threads: threads * crew,
          perSecond: median(runs.map((one) => one.blocks / one.ns)),
          cpuNs: median(runs.map((one) => one.cpuNs / one.blocks)),
          counts: counted(counting, workload, sizes, threads, blocks / 4),
        };
      });
      const [first] = all;
      if (first === undefined) continue;
      const machine = (/** @type {Counts} */ counts) => ({
        workNs: first.cpuNs + moveNs * (movesOfMany(counts) - movesOfMany(first.counts)),
        moveNs,
        lines: singleLines(counts),
      });
      const few = simulate({ ...machine(first.counts), threads: first.threads, cores: CORES });
      for (const { threads, perSecond, counts } of all) {
        facts(figures(`${label}, ${threads} threads`, counts));
        if (threads === first.threads) continue;
        facts({
          [`${label}, ${threads} threads on ${CORES} cores: throughput over ${first.threads}, measured`]:
            perSecond / first.perSecond,
          [`${label}, ${threads} threads on ${CORES} cores: throughput over ${first.threads}, simulated`]:
            simulate({ ...machine(counts), threads, cores: CORES }) / few,
        });
      }
      const { counts } = /** @type {typeof first} */ (all.at(-1));
      const many = simulate({ ...machine(counts), threads: MANY, cores: MANY });
      facts({
        [`${label}: CPU ns a block`]: first.cpuNs,
        [`${label}, ${MANY} threads on ${MANY} cores: throughput over ${first.threads}, simulated`]: many / few,
        ...Object.fromEntries(
          SHARED.filter((one) => 'lines' in one && sum(counts, one).writes > 0).map((one) => [
            `${label}: cores that keep ${one.what} busy`,
            first.cpuNs / (moveNs * (sum(counts, one).writes / /** @type {{ lines: number }} */ (one).lines)),
          ]),
        ),
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The program of core/writes, with the core as it is or one whose atomics count.
 * @param {string} folder @param {'plain' | 'counting'} kind
 */
function compiled(folder, kind) {
  const tree = join(folder, kind);
  for (const part of ['native/core', 'bench/core']) cpSync(join(root, part), join(tree, part), { recursive: true });
  if (kind === 'counting') cpSync(join(root, 'bench/core/writes/sync.h'), join(tree, 'native/core/sync/sync.h'));
  const program = join(tree, 'writes');
  const uncounted = ['-include', join(tree, 'bench/core/writes/uncounted.h')];
  const flags = ['-O2', ...(kind === 'plain' ? uncounted : [])];
  compile(program, tree, 'bench/core/writes/main.cc', { flags, asOne: true });
  return program;
}

/** @param {string} program @param {string} workload @param {string} sizes @param {number} threads @param {number} blocks @returns {Counts} */
function counted(program, workload, sizes, threads, blocks) {
  const each = Math.ceil(blocks / threads);
  return JSON.parse(execFileSync(program, [workload, sizes, `${threads}`, `${each}`], { encoding: 'utf8' }));
}

/** @param {Counts} counts @param {(typeof SHARED)[number]} of */
function sum({ places, blocks }, { file, ...of }) {
  const found = places.filter(
    (place) => place.file.endsWith(`/${file}`) && (!('kind' in of) || place.kind === of.kind),
  );
  const total = (/** @type {'writes' | 'moved'} */ key) => found.reduce((all, place) => all + place[key], 0) / blocks;
  return { writes: total('writes'), moved: total('moved') };
}

/** @param {string} label @param {Counts} counts */
function figures(label, counts) {
  return Object.fromEntries(
    SHARED.flatMap((one) => {
      const { writes, moved } = sum(counts, one);
      return writes === 0
        ? []
        : [
            [`${label}: ${one.what}: writes`, writes],
            [`${label}: ${one.what}: moves`, moved],
          ];
    }),
  );
}

/** How often each line that all threads share is written for each block. @param {Counts} counts */
function singleLines(counts) {
  return SHARED.flatMap((one) => ('lines' in one ? Array(one.lines).fill(sum(counts, one).writes / one.lines) : []));
}

/** How often a line of those of which there are many comes from another core, for each block: nobody waits for it but who wants it. @param {Counts} counts */
function movesOfMany(counts) {
  return SHARED.reduce((all, one) => ('lines' in one ? all : all + sum(counts, one).moved), 0);
}
