import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { endAll, takeTurns, timed } from './threads.js';

const CHAINS = 2;
const GENERATIONS = 4;
const LIVE = 5000;

export const title =
  `${CHAINS} threads with ${LIVE.toLocaleString('en')} live buffers each, replaced at random; ` +
  `${GENERATIONS} times a thread ends and its successor inherits them. Time per replacement, inheriting included`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const pool = new BufferPool();
  const count = CHAINS * GENERATIONS * Math.ceil((500_000 * effort.seconds) / 0.2);
  const end = () => {};
  const ways = [
    { name: 'slabpool, inherited by ticket', count, run: () => generations(count, { pool: pool.handle }), end },
    { name: 'fair JS pool, inherited by transfer', count, run: () => generations(count, { pool: null }), end },
  ];
  report('log-normal sizes, median 2 KiB', await takeTurns(ways, Math.ceil(effort.rounds / 2), progress));
  await endAll(ways);
  const { residentBytes, leasedBytes } = pool.stats();
  facts({ 'resident at the end, MiB': residentBytes / 2 ** 20, 'of which out, MiB': leasedBytes / 2 ** 20 });
}

/** @param {number} count @param {object} data */
async function generations(count, data) {
  /** @type {Worker[]} */
  const workers = [];
  const chains = Array.from({ length: CHAINS }, () => {
    const links = Array.from({ length: GENERATIONS + 1 }, () => new MessageChannel());
    for (let g = 0; g < GENERATIONS; g++) {
      const [from, to] = [
        /** @type {MessageChannel} */ (links[g]).port2,
        /** @type {MessageChannel} */ (links[g + 1]).port1,
      ];
      workers.push(
        new Worker(new URL('workers/larson.js', import.meta.url), {
          workerData: {
            ...data,
            ...{ from, to, live: LIVE, replacements: count / CHAINS / GENERATIONS },
            ...{ first: g === 0, last: g === GENERATIONS - 1 },
          },
          transferList: [from, to],
        }),
      );
    }
    return {
      first: /** @type {MessageChannel} */ (links[0]).port1,
      last: /** @type {MessageChannel} */ (links.at(-1)).port2,
    };
  });
  const ended = workers.map((worker) => once(worker, 'exit'));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  // Starting threads takes the longest by far, and is not what is measured.
  const ns = await timed(() =>
    Promise.all(
      chains.map(({ first, last }) => {
        first.postMessage(null);
        return once(last, 'message');
      }),
    ),
  );
  await Promise.all(ended);
  return ns;
}
