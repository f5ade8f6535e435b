import { MessageChannel } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { endAll, Thread, takeTurns, timed } from './threads.js';

const PRODUCERS = 3;
const PROXIES = 2;
const CONSUMERS = 3;
const SIZE = 16 * 1024;
/** Messages that a Channel holds (its default), and buffers that a producer of the others has under way, at the most. */
const IN_FLIGHT = 256;

export const title =
  `${PRODUCERS} producers, ${PROXIES} proxies that pass on, ${CONSUMERS} consumers, each a thread; ` +
  `${SIZE / 1024} KiB buffers; per buffer`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const scale = effort.seconds / 0.2;
  const pool = new BufferPool();
  const ways = [channels(pool), posted()].map((way) => ({ ...way, count: Math.ceil(way.count * scale) }));
  report(`${SIZE / 1024} KiB`, await takeTurns(ways, effort.rounds, progress));
  await endAll(ways);
  facts({ 'resident at the end, MiB': pool.stats().residentBytes / 2 ** 20 });
}

/**
 * @param {Thread[]} producers @param {Thread[]} consumers @param {number} count
 * @param {Int32Array} received how many were, and how many there are
 */
function handOver(producers, consumers, count, received) {
  const each = Math.ceil(count / producers.length);
  received.set([0, each * producers.length]);
  return timed(async () => {
    // The consumer that takes the last one answers.
    const done = Promise.race(consumers.map((thread) => thread.ask('when all are received')));
    await Promise.all(producers.map((thread) => thread.ask(each)));
    await done;
  });
}

/** @param {BufferPool} pool @returns {import('./threads.js').Way} */
function channels(pool) {
  const first = new Channel(pool, { capacity: IN_FLIGHT });
  const second = new Channel(pool, { capacity: IN_FLIGHT });
  const received = new Int32Array(new SharedArrayBuffer(8));
  const data = { pool: pool.handle, first: first.handle, second: second.handle, received, size: SIZE };
  const start = (/** @type {number} */ length, /** @type {string} */ kind) =>
    Array.from({ length }, () => new Thread('msgpass', { ...data, kind }));
  const producers = start(PRODUCERS, 'producer');
  const proxies = start(PROXIES, 'proxy');
  const consumers = start(CONSUMERS, 'consumer');
  return {
    name: 'slabpool, two Channels',
    count: 100_000,
    run: (count) => handOver(producers, consumers, count, received),
    async end() {
      await Promise.all([...producers, ...proxies, ...consumers].map((thread) => thread.end()));
      // Held until here: a channel that nobody has is closed.
      for (const channel of [first, second]) channel.close();
    },
  };
}

/** @returns {import('./threads.js').Way} */
function posted() {
  const received = new Int32Array(new SharedArrayBuffer(8));
  const lines = (/** @type {number} */ from, /** @type {number} */ to) =>
    Array.from({ length: from }, () => Array.from({ length: to }, () => new MessageChannel()));
  const toProxy = lines(PRODUCERS, PROXIES);
  const toConsumer = lines(PROXIES, CONSUMERS);
  const back = lines(CONSUMERS, PRODUCERS);
  const outOf = (/** @type {MessageChannel[][]} */ line, /** @type {number} */ i) =>
    /** @type {MessageChannel[]} */ (line[i]).map(({ port1 }) => port1);
  const into = (/** @type {MessageChannel[][]} */ line, /** @type {number} */ i) =>
    line.map((from) => /** @type {MessageChannel} */ (from[i]).port2);

  /** @param {number} length @param {string} kind @param {MessageChannel[][]} from @param {MessageChannel[][]} to */
  const start = (length, kind, from, to) =>
    Array.from({ length }, (_, i) => {
      const inputs = into(from, i);
      const outputs = outOf(to, i);
      const data = { kind, inputs, outputs, received, number: i, size: SIZE, inFlight: IN_FLIGHT };
      return new Thread('msgpass', data, [...inputs, ...outputs]);
    });
  const producers = start(PRODUCERS, 'posting', back, toProxy);
  const proxies = start(PROXIES, 'postingOn', toProxy, toConsumer);
  const consumers = start(CONSUMERS, 'postingBack', toConsumer, back);
  return {
    name: 'postMessage, recycled ArrayBuffers transferred',
    count: 20_000,
    run: (count) => handOver(producers, consumers, count, received),
    end: () => Promise.all([...producers, ...proxies, ...consumers].map((thread) => thread.end())),
  };
}
