// One way of a program, in a process of its own: child.js PROGRAM WAY
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { difference, usage } from '../usage.js';

/** How often the delay is looked at, which counts as delay. */
const RESOLUTION_MS = 1;

/**
 * @typedef {{ units: number, bytes: number }} Counts what was done so far
 *
 * @typedef {object} Program
 * @property {() => Counts} counts
 * @property {(ms: number) => Promise<unknown>} [work] for about so long; without it, the program works by itself
 * @property {() => Promise<string | undefined>} end what was found: the same in each way
 * @property {number} [port] of a program that works for others
 *
 * @typedef {Counts & import('../usage.js').Usage} Slice what was done, and what that took
 *
 * @typedef {object} Measured
 * @property {Slice[]} slices
 * @property {Slice} whole all slices
 * @property {number} peakRss bytes
 * @property {[x: number, y: number][]} delays of the event loop, 99 of 100 in an interval: seconds, milliseconds
 */

const [name, way = ''] = process.argv.slice(2);
const { ways } = await import(`./${name}.js`);
/** @type {Program} */
const program = await ways[way]();
const { counts, work = setTimeout, end, port } = program;

/** @param {number} everyMs */
function watchDelays(everyMs) {
  const started = performance.now();
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  /** @type {[x: number, y: number][]} */
  const points = [];
  histogram.enable();
  const timer = setInterval(() => {
    // What keeps the event loop for longer than an interval is seen in the next.
    if (histogram.count === 0) return;
    const late = Math.max(0, histogram.percentile(99) / 1e6 - RESOLUTION_MS);
    points.push([Number(((performance.now() - started) / 1000).toFixed(2)), Number(late.toFixed(2))]);
    histogram.reset();
  }, everyMs);
  return () => {
    clearInterval(timer);
    histogram.disable();
    return points;
  };
}

const stand = () => ({ ...counts(), ...usage() });

/** @param {{ slices: number, sliceMs: number, sampleMs: number }} how @returns {Promise<Measured>} */
async function measure({ slices, sliceMs, sampleMs }) {
  const delays = watchDelays(sampleMs);
  const first = stand();
  let before = first;
  /** @type {Slice[]} */
  const done = [];
  for (let i = 0; i < slices; i++) {
    await work(sliceMs);
    const now = stand();
    done.push(difference(before, now));
    before = now;
  }
  return {
    slices: done,
    whole: difference(first, before),
    peakRss: process.resourceUsage().maxRSS * 1024,
    delays: delays(),
  };
}

process.once('disconnect', () => process.exit());
process.send?.({ port });
const [how] = await once(process, 'message');
process.send?.(await measure(how));
await once(process, 'message');
const result = await end();
process.send?.({ units: counts().units, result });
