import { setTimeout } from 'node:timers/promises';
import { BufferPool, type Lease } from 'slabpool';
import { WorkerPool } from 'slabpool/worker';
import { expect, test } from 'vitest';
import { checkBooks, MiB } from './backends.js';
import { JOBS, nothingOut } from './workers.js';

const JOBS_THAT_WORK = ['default', 'echo', 'plain', 'make'];
const JOBS_THAT_DO_NOT = [
  'fail',
  'exit',
  'uncloneable',
  'method',
  'lastWords',
  'none',
  'ordinary',
  'oversize',
  'closes',
];

/** What a job may end with, beside its result and the reason of its signal. */
const CODES = [
  'ERR_SLABPOOL_TIMEOUT',
  'ERR_SLABPOOL_CLOSED',
  'ERR_SLABPOOL_WORKER_DIED',
  'ERR_SLABPOOL_INVALID_ARG',
  'ERR_SLABPOOL_OVERSIZE',
  // Of a thread that acquires while others wait for budget.
  'ERR_SLABPOOL_EXHAUSTED',
  'E_EXPECTED',
];

/** A linear congruential generator: the same walk for a seed, but for what the threads' own times make of it. */
function randomly(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (state >>> 8) % below;
  };
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'jobs of all kinds, given up, timed out, dying, closed under: all settle, nothing is left (%i)',
  async (seed) => {
    const random = randomly(seed);
    const pool = new BufferPool({ maxBytes: 4 * MiB, epochMs: 20, backend: 'native' });
    // biome-ignore lint/suspicious/noExplicitAny: tasks and results of all kinds
    const workers = new WorkerPool<any, any>({
      ...{ filename: JOBS, pool, maxThreads: 1 + random(3), maxQueue: 1 + random(4) },
      ...{ minThreads: random(2), idleTimeoutMs: random(30) },
    });

    async function job(i: number): Promise<unknown> {
      await setTimeout(random(600));
      if (random(3) === 0) await workers.ready({ timeout: random(300) });
      using input = await pool.acquireAsync(1 + random(200_000));
      const names = i % 8 === 0 ? JOBS_THAT_DO_NOT : JOBS_THAT_WORK;
      const name = names[random(names.length)] as string;
      const how = ['exit', 'code', 'error'][random(3)];
      const task = name === 'make' ? random(100_000) : name === 'lastWords' || name === 'fail' ? { how } : { input };
      const options = {
        ...(random(3) === 0 && { timeout: random(300) }),
        ...(random(3) === 0 && { signal: AbortSignal.timeout(random(300)) }),
      };
      const result = await workers.run(task, { name, ...options });
      const leases: Lease[] = Array.isArray(result) ? result : [result?.input, result?.lease].filter(Boolean);
      for (const lease of leases) lease.release();
      return result;
    }

    const jobs = Promise.allSettled(Array.from({ length: 120 }, (_, i) => job(i)));
    const closedUnder = seed % 2 === 0;
    if (closedUnder) {
      await setTimeout(300 + random(300));
      await workers.close({ timeout: random(50) }).catch(() => {});
    }
    const outcomes = await jobs;
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      const { code, name, message } = outcome.reason ?? {};
      const expected = CODES.includes(code) || name === 'TimeoutError' || /handler|symbol|told/.test(message ?? 'told');
      expect(expected, `${code} ${message}`).toBe(true);
    }
    if (!closedUnder) {
      const { jobs: all, queued, running, completed, failed, timedOut, aborted } = workers.stats();
      expect([queued, running, completed + failed + timedOut + aborted]).toEqual([0, 0, all]);
    }
    await workers.close().catch((error) => expect(error.code).toBe('ERR_SLABPOOL_WORKER_DIED'));
    await nothingOut(pool);
    checkBooks(pool);
    pool.close();
  },
);
