// Compares ways of doing the same: `benchmark` times each, they take turns over several rounds, and what counts is the ratio
// within a round, since machines drift.
import Benchmark from 'benchmark';
import { median } from 'simple-statistics';
import { collectGarbage, reported } from './garbage.js';
import { medianInterval } from './statistics.js';
import { Spent, usage } from './usage.js';

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {(operations: number) => unknown} run does so many operations, a multiple of `unit`
 * @property {number} [unit] 16 unless given
 * @property {number} [bytes] that one operation moves
 * @property {() => void} [close] called once it has been measured
 */

/**
 * @typedef {object} Result
 * @property {string} name
 * @property {number} ns nanoseconds an operation, the median over the rounds
 * @property {number} ratio its time over that of the first case, the median over the rounds
 * @property {import('./statistics.js').Interval} interval where the ratio lies with 95 % confidence
 * @property {number[]} rounds nanoseconds an operation, one a round
 * @property {number} [cpuNs] nanoseconds of CPU time an operation, of all threads, but for their waiting
 * @property {number} [faults] minor page faults of the process in 1,000 operations
 * @property {number} [collections] garbage collections of all threads, per second of measuring
 * @property {number} [gcMs] milliseconds of these per second of measuring
 * @property {number | undefined} [gigabytes] per second, where operations move bytes
 * @property {number} [mbPerCpuSecond] megabytes per second of CPU time, of all threads of the process
 * @property {number} [mbPerSecond] megabytes per second
 * @property {number} [faultsPerMiB] minor page faults
 * @property {number} [peakRssMiB] of the process, or what it took above what it began with
 */

/** How long one call of a case takes, in nanoseconds: far above what the clock and the call itself cost. */
const CALL_NS = 500_000;

/**
 * @param {readonly Case[]} cases the first is what the others are compared with
 * @param {import('./benchmarks.js').Effort} effort
 * @param {(name: string) => void} progress
 * @returns {Promise<Result[]>}
 */
export async function measure(cases, { rounds, seconds, smoke }, progress) {
  /** @type {number[][]} */
  const times = cases.map(() => []);
  const spent = cases.map(() => new Spent());
  const operations = cases.map(calibrate);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < cases.length; turn++) {
      // Each round starts with another case, so that none always follows the same one.
      const i = (round + turn) % cases.length;
      const { name, run } = /** @type {Case} */ (cases[i]);
      progress(`${name}, round ${round + 1} of ${rounds}`);
      const count = /** @type {number} */ (operations[i]);
      let calls = 0;
      // Bound, because `benchmark` would compile the text of a plain function anew, without what it closes over.
      const one = (() => {
        calls++;
        run(count);
      }).bind(null);
      // So that no case pays for the garbage of the one before it.
      if (!smoke) collectGarbage();
      await reported();
      const before = usage();
      const benchmark = new Benchmark(name, one, { maxTime: seconds, minTime: seconds / 8, minSamples: 5 });
      benchmark.run();
      const { wallMs } = usage();
      await reported();
      spent[i]?.add(calls * count, before, { ...usage(), wallMs });
      /** @type {number[]} */ (times[i]).push((benchmark.stats.mean * 1e9) / count);
    }
  }
  for (const { close } of cases) close?.();

  return cases.map(({ name, bytes }, i) => ({
    ...compared(name, /** @type {number[]} */ (times[i]), /** @type {number[]} */ (times[0])),
    ...spent[i]?.figures(),
    gigabytes: bytes === undefined ? undefined : bytes / median(/** @type {number[]} */ (times[i])),
  }));
}

/**
 * @param {string} name @param {readonly number[]} times one a round, in nanoseconds @param {readonly number[]} first those of
 * the first case
 * @returns {Result}
 */
export function compared(name, times, first) {
  const ratios = times.map((ns, round) => ns / /** @type {number} */ (first[round]));
  return {
    name,
    ns: median(times),
    ratio: median(ratios),
    interval: medianInterval(ratios),
    rounds: [...times],
  };
}

/** @param {Case} one */
function calibrate({ run, unit = 16 }) {
  for (let count = unit; ; count *= 2) {
    const started = process.hrtime.bigint();
    run(count);
    const ns = Number(process.hrtime.bigint() - started);
    if (ns > CALL_NS) return count;
  }
}
