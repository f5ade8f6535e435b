import { MessageChannel } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { endAll, Thread, takeTurns, timed } from './threads.js';

const BATCH = 32;
/** Buffers under way between an acquiring and a releasing thread, at the most. */
const QUEUE = 256;

export const title = `some threads only acquire, others only release; 1 to 64 KiB, ${BATCH} at a time, ${QUEUE} queued`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const scale = effort.seconds / 0.2;
  for (const pairs of [1, 2]) {
    const label = `${pairs} acquiring, ${pairs} releasing`;
    const ours = slabpool(pairs);
    const batched = fairTransferred(pairs, BATCH);
    const ways = [ours.way, batched.way, fairTransferred(pairs, 1).way].map((way) => ({
      ...way,
      count: Math.ceil(way.count * scale),
    }));
    report(label, await takeTurns(ways, effort.rounds, (what) => progress(`${label}: ${what}`)));
    const figures = { ...(await ours.books()), 'fair JS pool, MiB': batched.bytes() / 2 ** 20 };
    facts(Object.fromEntries(Object.entries(figures).map(([what, figure]) => [`${label}: ${what}`, figure])));
    await endAll(ways);
  }
}

/**
 * @param {Thread[]} acquirers @param {Thread[]} releasers @param {number} count
 * @param {boolean} [accounted] whether the acquirers find out how large the live set is
 */
async function handOver(acquirers, releasers, count, accounted = false) {
  const each = Math.ceil(count / acquirers.length / BATCH) * BATCH;
  return Promise.all([...acquirers, ...releasers].map((thread) => thread.ask({ count: each, accounted })));
}

/** @param {number} pairs */
function slabpool(pairs) {
  const pool = new BufferPool();
  const channel = new Channel(pool, { capacity: QUEUE * pairs });
  const live = new SharedArrayBuffer(4);
  const data = { pool: pool.handle, channel: channel.handle, live, batch: BATCH };
  const acquirers = Array.from({ length: pairs }, () => new Thread('xmalloc', { ...data, kind: 'acquirer' }));
  const releasers = Array.from({ length: pairs }, () => new Thread('xmalloc', { ...data, kind: 'releaser' }));
  const threads = [...acquirers, ...releasers];
  return {
    way: {
      name: 'slabpool Channel',
      count: 300_000,
      run: (/** @type {number} */ count) => timed(() => handOver(acquirers, releasers, count)),
      async end() {
        await Promise.all(threads.map((thread) => thread.end()));
        // Held until here: a channel that nobody has is closed.
        channel.close();
      },
    },
    async books() {
      const answers = await handOver(acquirers, releasers, 100_000, true);
      // All is released: what counts as out is in the magazines of the workers.
      const { residentBytes, leasedBytes, cachedBytes } = pool.stats();
      const live = Math.max(...answers.map(({ peak }) => peak));
      return {
        'hit rate': Math.min(...answers.map(({ hitRate }) => hitRate)),
        'live set, MiB at its peak': live / 2 ** 20,
        'resident, MiB': residentBytes / 2 ** 20,
        'of which in magazines': leasedBytes / 2 ** 20,
        'of which in depots': cachedBytes / 2 ** 20,
        'resident over live set': residentBytes / live,
      };
    },
  };
}

/**
 * @param {number} pairs @param {number} batch ArrayBuffers in a message, there and back
 */
function fairTransferred(pairs, batch) {
  const ports = Array.from({ length: pairs }, () => new MessageChannel());
  const data = { batch, queue: QUEUE };
  const acquirers = ports.map(
    ({ port1: port }) => new Thread('xmalloc', { ...data, kind: 'fairAcquirer', port }, [port]),
  );
  const releasers = ports.map(
    ({ port2: port }) => new Thread('xmalloc', { ...data, kind: 'fairReleaser', port }, [port]),
  );
  let bytes = 0;
  return {
    way: {
      name: `fair JS pool, transfer of ${batch} a message`,
      count: 40_000,
      run: (/** @type {number} */ count) =>
        timed(async () => {
          const answers = await handOver(acquirers, releasers, count);
          bytes = answers.reduce((sum, answer) => sum + (answer.bytes ?? 0), 0);
        }),
      end: () => Promise.all([...acquirers, ...releasers].map((thread) => thread.end())),
    },
    bytes: () => bytes,
  };
}
