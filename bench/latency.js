import { setTimeout } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { Thread } from './threads.js';

const SIZE = 64 * 1024;
/** Milliseconds in which the receiver goes to sleep. */
const PAUSE = 1;
const PORTION = 100;
/** Portions that only warm up. */
const WARM_UP = 10;

export const title = 'one way to a worker that sleeps, from just before sending to just after receiving';

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, facts }) {
  const pool = new BufferPool();
  const channel = new Channel(pool, { capacity: 64 });
  const { port1: port, port2 } = new MessageChannel();
  const data = { pool: pool.handle, channel: channel.handle, port: port2 };
  const thread = new Thread('latency', data, [port2]);
  // A receiver that is still starting is not an idle one.
  await thread.ask({ name: 'postMessage of a number', count: 0 });
  const sendLease = () => {
    const lease = pool.acquire(SIZE);
    if (!channel.trySend(lease, undefined, now())) throw new Error('the receiver does not keep up');
  };
  const ways = {
    Channel: sendLease,
    'Channel, receiveSync': sendLease,
    'postMessage of a number': () => port.postMessage(now()),
  };

  const portions = effort.rounds < 7 ? 5 : 30;
  /** @type {Record<string, number[]>} */
  const times = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  for (let portion = -WARM_UP; portion < portions; portion++) {
    for (const [name, send] of Object.entries(ways)) {
      progress(`${name}, ${portion < 0 ? 'warming up' : `${portion + 1} of ${portions}`}`);
      const received = thread.ask({ name, count: PORTION });
      for (let i = 0; i < PORTION; i++) {
        await setTimeout(PAUSE);
        send();
      }
      const taken = await received;
      if (portion >= 0) times[name]?.push(...taken);
    }
  }
  await thread.end();

  /** @type {Record<string, number>} */
  const figures = { 'messages each': portions * PORTION };
  for (const [name, taken] of Object.entries(times)) {
    taken.sort((a, b) => a - b);
    figures[`${name}, p50 us`] = percentile(taken, 0.5);
    figures[`${name}, p99 us`] = percentile(taken, 0.99);
  }
  for (const p of ['p50', 'p99']) {
    figures[`Channel over postMessage, ${p}`] =
      /** @type {number} */ (figures[`Channel, ${p} us`]) /
      /** @type {number} */ (figures[`postMessage of a number, ${p} us`]);
  }
  facts(figures);
}

/** Nanoseconds of a clock that all threads share. */
function now() {
  return Number(process.hrtime.bigint());
}

/** @param {readonly number[]} sorted nanoseconds @param {number} share @returns {number} microseconds */
function percentile(sorted, share) {
  return /** @type {number} */ (sorted[Math.ceil(sorted.length * share) - 1]) / 1000;
}
