import { createHistogram } from 'node:perf_hooks';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { median } from 'simple-statistics';
import { BufferPool, Channel } from 'slabpool';
import { byNines, percentileCurves } from './percentiles.js';
import { RUNTIME } from './results.js';
import { Thread } from './threads.js';

const SIZE = 64 * 1024;
/** Milliseconds in which the receiver goes to sleep. */
const PAUSE = 1;
/** Messages one way, before it is another's turn: few, so that what else the machine does falls on all of them. */
const PORTION = 22;
/** The first ones of a portion, which do not count: they come while the receiver changes over from another way. */
const CHANGE = 2;
/** Portions in a round: the 4th slowest of 400 messages is its 99th percentile. */
const PORTIONS = 20;
/** Portions without pauses, in which V8 compiles what a service that runs for minutes has compiled. */
const WARM_UP = { full: 1000, smoke: 50 };

export const title = 'one way to a worker that sleeps, from just before sending to just after receiving';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts, series, leaveOut }) {
  if (!RUNTIME.startsWith('node')) {
    leaveOut('one way to another thread: no clock of this runtime is the same in all threads');
    return;
  }
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
  const ways = Object.entries({
    Channel: sendLease,
    'Channel, receiveSync': sendLease,
    'postMessage of a number': () => port.postMessage(now()),
  });

  /** @param {string} name @param {() => void} send @param {() => Promise<unknown>} pause @returns {Promise<number[]>} */
  const portion = async (name, send, pause) => {
    const received = thread.ask({ name, count: PORTION });
    for (let i = 0; i < PORTION; i++) {
      await pause();
      send();
    }
    return (await received).slice(CHANGE);
  };
  for (const [name, send] of ways) {
    progress(`${name}, warming up`);
    for (let i = 0; i < (effort.smoke ? WARM_UP.smoke : WARM_UP.full); i++) await portion(name, send, setImmediate);
  }
  const rounds = 2 * effort.rounds + 1;
  /** @type {Record<string, number[]>} */
  const figures = {};
  const histograms = ways.map(() => createHistogram());
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`);
    /** @type {number[][]} */
    const times = ways.map(() => []);
    for (let i = 0; i < PORTIONS; i++) {
      for (const [way, [name, send]] of ways.entries()) {
        const taken = await portion(name, send, () => setTimeout(PAUSE));
        times[way]?.push(...taken);
        for (const ns of taken) histograms[way]?.record(ns);
      }
    }
    for (const [label, share] of /** @type {const} */ ([
      ['p50', 0.5],
      ['p99', 0.99],
    ])) {
      const taken = times.map((one) => percentile(one, share));
      for (const [way, [name]] of ways.entries()) add(`${name}, ${label} us`, /** @type {number} */ (taken[way]));
      add(`Channel over postMessage, ${label}`, /** @type {number} */ (taken[0]) / /** @type {number} */ (taken[2]));
    }
  }
  await thread.end();
  series(
    'one way to a worker that sleeps, by percentile',
    percentileCurves(Object.fromEntries(ways.map(([name], way) => [name, byNines(histograms[way])]))),
  );

  /** @param {string} name @param {number} figure */
  function add(name, figure) {
    figures[name] ??= [];
    figures[name].push(figure);
  }
  const medians = Object.entries(figures).map(([name, all]) => [name, median(all)]);
  facts({ 'messages each': rounds * PORTIONS * (PORTION - CHANGE), ...Object.fromEntries(medians) });
}

/** Nanoseconds of a clock that all threads share. */
function now() {
  return Number(process.hrtime.bigint());
}

/** @param {readonly number[]} times nanoseconds @param {number} share @returns {number} microseconds */
function percentile(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  return /** @type {number} */ (sorted[Math.ceil(sorted.length * share) - 1]) / 1000;
}
