import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { BufferPool } from 'slabpool';
import { Thread } from './threads.js';

/** Each thread's own size, so that nothing is shared but the pool itself. */
const SIZES = [4000, 9000];
/** Acquired before any is released: most batches cross into the core. */
const BURST = 200;

export const title = `threads of one pool, each with a size of its own, in bursts of ${BURST}; two against one`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const pool = new BufferPool();
  const jobs = SIZES.map((size) => ({ size, burst: BURST, milliseconds: effort.seconds * 1500 }));
  const threads = SIZES.map(() => new Thread('scaling', { pool: pool.handle }));
  const processes = SIZES.map(() => new Process());

  /** @type {Record<string, number[]>} */
  const gains = { 'two threads': [], 'two processes': [] };
  const single = [];
  // The first round only warms up.
  for (let round = 0; round <= effort.rounds; round++) {
    for (const [name, pair] of Object.entries({ 'two threads': threads, 'two processes': processes })) {
      progress(`${name}, round ${round} of ${effort.rounds}`);
      /** @type {number[]} */
      const alone = [];
      for (const [i, one] of pair.entries()) alone.push((await one.ask(jobs[i])).rate);
      const together = await Promise.all(pair.map((one, i) => one.ask(jobs[i])));
      if (round === 0) continue;
      // Both count the same when they have the machine to themselves: the mean of what each keeps of its own speed.
      const kept = together.map(({ rate }, i) => rate / /** @type {number} */ (alone[i]));
      gains[name]?.push(kept.reduce((a, b) => a + b, 0));
      if (name === 'two threads') single.push(1e9 / /** @type {number} */ (alone[0]));
    }
  }
  await Promise.all(threads.map((thread) => thread.end()));
  for (const one of processes) one.end();

  const ofThreads = median(/** @type {number[]} */ (gains['two threads']));
  const ofProcesses = median(/** @type {number[]} */ (gains['two processes']));
  facts({
    'ns a pair in one thread': median(single),
    'throughput of two threads over one': ofThreads,
    'throughput of two processes over one': ofProcesses,
    'two threads over 1.9, or over two processes if those reach less': ofThreads / Math.min(1.9, ofProcesses),
  });
}

/** The same loop with a pool of its own. */
class Process {
  #child = fork(fileURLToPath(new URL('workers/scaling.js', import.meta.url)));

  /** @param {any} job @returns {Promise<{ rate: number }>} pairs a second */
  async ask(job) {
    this.#child.send(job);
    const [answer] = await once(this.#child, 'message');
    return answer;
  }

  end() {
    this.#child.disconnect();
  }
}
