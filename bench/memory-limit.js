import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const MiB = 2 ** 20;
const LIMIT = 256 * MiB;

export const title = `a service below a memory limit of ${LIMIT / MiB} MiB fills its pool up to 95 % of that, releases, and needs most of it for something else`;

/**
 * Where a service lives: `folder` has files of a cgroup, real ones or made up.
 * @typedef {{ folder: string, usage: string, root: string, add: (pid: number) => void, end: () => Promise<void> }} Limit
 */

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const rounds = effort.smoke ? 1 : 5;
  const limit = realLimit() ?? madeUpLimit();
  const real = limit.root === '';
  // Whoever gives up waiting is not to find the cgroup left behind.
  const abort = new AbortController();
  const stop = () => abort.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  console.log(
    real ? `in a cgroup, ${limit.folder}` : 'no cgroup can be made here: the usage is made up, and nobody is killed',
  );
  try {
    progress('the service');
    const { done, left, waits } = await serve(limit, rounds, true, abort.signal);
    progress('the same with a pool that keeps everything');
    const other = real ? await serve(limit, rounds, false, abort.signal) : undefined;
    facts({
      'in a real cgroup': Number(real),
      'rounds survived, of those begun': done / rounds,
      'free a look after the release, of what was released': Math.max(...left),
      'until at most 1 % of it was free, ms': Math.max(...waits),
      ...(other && { 'rounds survived by a pool that keeps everything': other.done }),
    });
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await limit.end();
  }
}

/**
 * How many rounds the service survived, what was free a look after each, and after how many milliseconds next to nothing was.
 * @param {Limit} limit @param {number} rounds @param {boolean} yields @param {AbortSignal} signal
 */
async function serve({ usage, root, add }, rounds, yields, signal) {
  const child = fork(new URL('workers/memory-limit.js', import.meta.url), { execArgv: ['--expose-gc'], signal });
  const exit = once(child, 'exit');
  await once(child, 'message');
  add(/** @type {number} */ (child.pid));
  /** @type {{ left: number, ms: number }[]} */
  const done = [];
  child.on('message', (/** @type {{ left: number, ms: number }} */ round) => done.push(round));
  child.send({ limit: LIMIT, usage, root, rounds, yields });
  await exit;
  return { done: done.length, left: done.map(({ left }) => left), waits: done.map(({ ms }) => ms) };
}

/** @returns {Limit | null} */
function realLimit() {
  const name = `slabpool-test-${process.pid}`;
  const [v1, v2] = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'];
  const isV2 = existsSync(join(v2, 'cgroup.subtree_control'));
  const folder = join(isV2 ? v2 : v1, name);
  const end = async () => {
    // Its last process may not be quite gone.
    for (let tries = 0; existsSync(folder) && tries < 100; tries++) {
      try {
        rmdirSync(folder);
      } catch {
        await setTimeout(50);
      }
    }
  };
  const usage = join(folder, isV2 ? 'memory.current' : 'memory.usage_in_bytes');
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, isV2 ? 'memory.max' : 'memory.limit_in_bytes'), String(LIMIT));
    // Pages that are swapped out would not count.
    const swap = join(folder, isV2 ? 'memory.swap.max' : 'memory.memsw.limit_in_bytes');
    if (existsSync(swap)) writeFileSync(swap, isV2 ? '0' : String(LIMIT));
    readFileSync(usage);
    return { folder, usage, root: '', add: (pid) => writeFileSync(join(folder, 'cgroup.procs'), String(pid)), end };
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return null;
  }
}

/** A version 2 cgroup of files. The service itself writes how much it uses. @returns {Limit} */
function madeUpLimit() {
  const root = mkdtempSync(join(tmpdir(), 'slabpool-bench-'));
  const folder = join(root, 'sys/fs/cgroup');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'memory.max'), String(LIMIT));
  const usage = join(folder, 'memory.current');
  return { folder, usage, root, add: () => {}, end: async () => rmSync(root, { recursive: true }) };
}
