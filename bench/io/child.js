// node bench/io/child.js FILE JOB WAY SECONDS: does one job in one way for so long, in a process of its own, and prints what it cost.
import { reported } from '../garbage.js';
import { difference, usage } from '../usage.js';

/**
 * @typedef {object} Reading
 * @property {number} bytes moved
 * @property {number} cpu seconds, of all threads
 * @property {number} wall seconds
 * @property {number} gcMs
 * @property {number} faults minor page faults
 * @property {number} peakRss bytes, of the whole process
 * @property {string} result what the job found: the same in each way
 */

/**
 * One way to do a job: does it once, and returns what it found.
 * @typedef {() => Promise<unknown> | unknown} Once
 * @typedef {{ bytes: number, once: Once, close?: () => Promise<void> | void }} Job
 */

const [file, job, way, seconds] = process.argv.slice(2);
const { jobs } = await import(new URL(/** @type {string} */ (file), import.meta.url).href);
/** @type {Job} */
const { bytes, once, close } = await jobs[/** @type {string} */ (job)].ways[/** @type {string} */ (way)]();

// Twice: what the first one compiles, the second one uses.
await once();
const result = await once();
await reported();
const before = usage();
const until = before.wallMs + Number(seconds) * 1000;
let times = 0;
do {
  await once();
  times++;
} while (performance.now() < until);
const ended = usage();
await reported();
const used = difference(before, { ...ended, gcMs: usage().gcMs });

/** @type {Reading} */
const reading = {
  bytes: times * bytes,
  cpu: used.cpuNs / 1e9,
  wall: used.wallMs / 1000,
  gcMs: used.gcMs,
  faults: used.faults,
  peakRss: process.resourceUsage().maxRSS * 1024,
  result: String(result),
};
await close?.();
process.stdout.write(JSON.stringify(reading));
