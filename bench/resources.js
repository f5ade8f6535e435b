import { median } from 'simple-statistics';
import { ResourcePool } from 'slabpool/resource';
import { postgresProgram } from '../scripts/servers.js';
import { collectGarbage } from './garbage.js';
import { contenders } from './resources/contenders.js';
import { slowShard } from './resources/shards.js';
import { takeTurns, timed } from './threads.js';

const SIZE = 10;
const TASKS = 32;
const WAITERS = 10_000;
/** So many times in a measurement: once is decided by when garbage is collected. */
const BATCHES = 5;

export const title = `pools of resources that cost nothing, ${SIZE} at most: what the pools cost`;

/** @param {import('./run.js').Context} context */
export async function run(context) {
  const { effort, progress, report, facts } = context;
  const { rounds, seconds } = effort;
  const count = Math.round(250_000 * seconds);
  /** @type {[string, number, (use: import('./resources/contenders.js').Contender['use'], count: number) => Promise<unknown>][]} */
  const kinds = [
    [
      'acquire and release, an idle one there',
      count,
      async (use, operations) => {
        for (let i = 0; i < operations; i++) await use(undefined);
      },
    ],
    [
      `${TASKS} tasks on ${SIZE}, each holds one for a microtask`,
      count,
      (use, operations) =>
        Promise.all(
          Array.from({ length: TASKS }, async () => {
            for (let i = 0; i < operations / TASKS; i++) await use(microtask);
          }),
        ),
    ],
    [
      `${WAITERS.toLocaleString('en')} at once on ${SIZE}`,
      (effort.smoke ? 1 : BATCHES) * WAITERS,
      async (use, operations) => {
        for (let done = 0; done < operations; done += WAITERS) {
          await Promise.all(Array.from({ length: WAITERS }, () => use(microtask)));
        }
      },
    ],
  ];
  for (const [label, operations, work] of kinds) {
    const ways = contenders(SIZE).map(({ name, use, end }) => ({
      ...{ name, count: operations, end },
      run: (/** @type {number} */ many) => timed(() => work(use, many)),
    }));
    report(label, await takeTurns(ways, rounds, (what) => progress(`${label}: ${what}`)));
    for (const { end } of ways) await end();
  }

  progress('who waits');
  facts(await waiters(rounds));
  progress('a slow shard');
  const [sharded, single] = await slowShard(rounds, 2500 * seconds);
  facts({
    'one of 8 shards slow: rate of the other seven over that without': median(sharded),
    'the same with one pool for all': median(single),
  });
  await servers(context);
}

/** Before a real server, where there is one. @param {import('./run.js').Context} context */
async function servers({ effort: { rounds, seconds, smoke }, progress, report, facts, leaveOut }) {
  if (postgresProgram('initdb') === '') {
    leaveOut('PostgreSQL, which is not installed: npm test -- servers installs it');
    return;
  }
  const { failover, rates, restart } = await import('./resources/postgres.js');
  const label = 'PostgreSQL, SELECT 1, 32 clients on 10 connections';
  progress(label);
  const { results, p99 } = await rates(2 * rounds, 3000 * seconds);
  report(label, results);
  facts({ "PostgreSQL: pg-pool's p99 over ours": p99 });
  progress('PostgreSQL is killed');
  facts(await restart(5000 * seconds));
  progress('an outage');
  // The full length where it counts.
  facts(await failover(smoke ? 1000 : 30_000));
}

const microtask = async () => {};

/** @param {number} rounds */
async function waiters(rounds) {
  const pool = new ResourcePool({ open: () => ({}), close() {}, maxSize: SIZE });
  let served = 0;
  let early = 0;
  const all = () => {
    let next = 0;
    return Promise.all(
      Array.from({ length: WAITERS }, async (_, i) => {
        const lease = await pool.acquire();
        served++;
        if (i !== next++) early++;
        lease.release();
      }),
    );
  };
  // What the code and its feedback take is there by now.
  for (let i = 0; i < 3; i++) await all();
  const memory = () => {
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const before = memory();
  for (let i = 0; i < rounds; i++) await all();
  await null;
  const grown = memory() - before;
  const share = served / ((rounds + 3) * WAITERS);
  await pool.close();
  return {
    [`served, of ${WAITERS.toLocaleString('en')} at once`]: share,
    'served out of order': early,
    'bytes of memory that stay of each': Math.max(0, grown) / (rounds * WAITERS),
  };
}
