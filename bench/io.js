// What readers and writers cost, each way in a process of its own: what counts is the CPU time for so many bytes, which other work on
// the machine changes least.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median } from 'simple-statistics';
import { measureFrames, WAYS } from './io-sockets.js';
import { compared } from './measure.js';
import { RUNTIME } from './results.js';

export const title = 'readers and writers; CPU time per KiB';

const run1 = promisify(execFile);
const child = new URL('io/child.js', import.meta.url).pathname;
const MODULES = ['./files.js', './written.js', './nothing.js'];
const MIB = 2 ** 20;

/** @typedef {Pick<import('./io/child.js').Reading, 'bytes' | 'cpu' | 'peakRss'> & Partial<import('./io/child.js').Reading>} Reading */

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts, leaveOut }) {
  const rounds = Math.min(effort.rounds, 5);
  const seconds = effort.seconds * 4;
  if (effort.smoke) process.env['SLABPOOL_BENCH_CITIES'] = '5000';
  for (const file of MODULES) {
    const { jobs } = await import(new URL(`io/${file}`, import.meta.url).href);
    for (const [job, { what, ways }] of Object.entries(jobs)) {
      const once = async (/** @type {string} */ way) => {
        const { stdout } = await run1(process.execPath, [child, file, job, way, String(seconds)]);
        return JSON.parse(stdout);
      };
      report(what, await inTurns(Object.keys(/** @type {object} */ (ways)), rounds, once, progress));
    }
  }
  const ways = RUNTIME.startsWith('bun') ? WAYS.filter((way) => way !== 'hand-written') : WAYS;
  if (ways !== WAYS) leaveOut("frames by hand, on leases: they need what Node's sockets have inside");
  for (const [what, size] of /** @type {const} */ ([
    ['frames of 1,000 B by TCP', 1000],
    ['frames of 1 MiB by TCP', MIB],
  ])) {
    const total = Math.round(seconds * 400 * MIB);
    report(
      what,
      await inTurns(
        ways,
        rounds,
        async (way) => {
          const { cpu, rss, frames, check } = await measureFrames(way, size, total);
          return { bytes: 1e6, cpu, peakRss: rss, result: `${frames} frames, ${check}` };
        },
        progress,
      ),
    );
  }
  facts(await idleConnections());
}

/**
 * @param {readonly string[]} ways the first is what the others are compared with
 * @param {number} rounds
 * @param {(way: string) => Promise<Reading>} once
 * @param {(what: string) => void} progress
 * @returns {Promise<import('./measure.js').Result[]>}
 */
async function inTurns(ways, rounds, once, progress) {
  /** @type {Reading[][]} */
  const readings = ways.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const i = (round + turn) % ways.length;
      progress(`${ways[i]}, round ${round + 1} of ${rounds}`);
      /** @type {Reading[]} */ (readings[i]).push(await once(/** @type {string} */ (ways[i])));
    }
  }
  const results = new Set(readings.flat().map(({ result }) => result));
  if (results.size > 1) throw new Error(`the ways do not find the same: ${[...results].join(', ')}`);
  const times = readings.map((list) => list.map(({ bytes, cpu }) => (cpu * 1e9 * 1024) / bytes));
  return ways.map((name, i) => {
    const list = /** @type {Reading[]} */ (readings[i]);
    const of = (/** @type {(one: Reading) => number | undefined} */ figure) =>
      median(list.map((one) => figure(one) ?? Number.NaN));
    return {
      ...compared(name, /** @type {number[]} */ (times[i]), /** @type {number[]} */ (times[0])),
      mbPerCpuSecond: of(({ bytes, cpu }) => bytes / 1e6 / cpu),
      peakRssMiB: of(({ peakRss }) => peakRss / MIB),
      ...(list[0]?.wall === undefined
        ? {}
        : {
            mbPerSecond: of(({ bytes, wall = 1 }) => bytes / 1e6 / wall),
            gcMs: of(({ gcMs = 0, wall = 1 }) => gcMs / wall),
            faultsPerMiB: of(({ faults = 0, bytes }) => (faults * MIB) / bytes),
          }),
    };
  });
}

async function idleConnections() {
  const { stdout } = await run1(process.execPath, [new URL('io/idle.js', import.meta.url).pathname]);
  return JSON.parse(stdout);
}
