import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { Thread, timed } from './threads.js';

const THREADS = 4;
const BLOCKS = 64;
const SIZE = 64 * 1024;
const QUIET_MS = 1000;

export const title = `acquireAsync() in ${THREADS} threads on a budget of ${BLOCKS} blocks that is full; each holds what it gets for a turn`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const waiters = effort.smoke ? 1000 : 10_000;
  const pool = new BufferPool({ maxBytes: BLOCKS * SIZE, tiers: [SIZE] });
  const threads = Array.from({ length: THREADS }, () => new Thread('waiting', { pool: pool.handle, size: SIZE }));
  const leases = pool.acquireMany(SIZE, BLOCKS);
  const answers = Promise.all(threads.map((thread) => thread.ask(waiters / THREADS)));
  progress(`${waiters} requests begin to wait`);
  while (pool.stats().waits.waiting < waiters) await setTimeout(10);
  await setTimeout(100);

  progress('nobody releases anything');
  const before = process.cpuUsage();
  await setTimeout(QUIET_MS);
  const { user, system } = process.cpuUsage(before);

  progress('each releases what it gets');
  /** @type {{ served: number, early: number }[]} */
  let work = [];
  const ns = await timed(async () => {
    pool.releaseMany(leases);
    work = await answers;
  });
  await Promise.all(threads.map((thread) => thread.end()));
  const { waits, leasedBytes, inFlightBytes } = pool.stats();
  pool.close();
  const served = work.reduce((sum, thread) => sum + thread.served, 0);
  facts({
    waiters,
    'served, of those that waited': served / waiters,
    'served before one that had asked earlier in the same thread': work.reduce((sum, { early }) => sum + early, 0),
    'still waiting': waits.waiting,
    'leased or in flight at the end, bytes': leasedBytes + inFlightBytes,
    'share of a CPU while they wait and nobody releases': (user + system) / 1000 / QUIET_MS,
    'microseconds for each to be served': ns / 1000 / waiters,
  });
}
