// node bench/io/child.js FILE JOB WAY SECONDS: does one job in one way for so long, in a process of its own, and prints what it cost.
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

/**
 * @typedef {object} Reading
 * @property {number} bytes moved
 * @property {number} cpu seconds, of all threads
 * @property {number} wall seconds
 * @property {number} gcMs
 * @property {number} collections
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

let gcMs = 0;
let collections = 0;
const observer = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) {
    gcMs += duration;
    collections++;
  }
});

// Twice: what the first one compiles, the second one uses.
await once();
const result = await once();
await setTimeout(5);
observer.observe({ entryTypes: ['gc'] });
const started = performance.now();
const cpuBefore = process.cpuUsage();
const before = process.resourceUsage();
let times = 0;
do {
  await once();
  times++;
} while (performance.now() - started < Number(seconds) * 1000);
const cpu = process.cpuUsage(cpuBefore);
const after = process.resourceUsage();
const wall = (performance.now() - started) / 1000;
await setTimeout(5);
observer.disconnect();
await close?.();

/** @type {Reading} */
const reading = {
  bytes: times * bytes,
  cpu: (cpu.user + cpu.system) / 1e6,
  wall,
  gcMs,
  collections,
  faults: after.minorPageFault - before.minorPageFault,
  peakRss: after.maxRSS * 1024,
  result: String(result),
};
process.stdout.write(JSON.stringify(reading));
