/** @import { Job, Reading, Way } from './jobs.js' */
import { DemoError } from './alone.js';

const SHOWN = 300;

/**
 * All ways of a job, one after the other, so often. Each round starts with another way, so that none always runs first.
 * @param {Job} job
 * @param {{ input: string, seconds: number, rounds: number }} options
 * @param {(way: Way) => void} onRun is called when a way begins
 * @returns {Promise<Map<Way, Reading[]>>}
 * @throws {DemoError} at the first result that differs from the first one
 */
export async function race({ title, ways }, { input, seconds, rounds }, onRun) {
  const runs = new Map(ways.map((way) => [way, /** @type {Reading[]} */ ([])]));
  /** @type {{ label: string, result: string } | undefined} */
  let first;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(round + i) % ways.length];
      onRun(way);
      const reading = await way.run(input, seconds);
      runs.get(way)?.push(reading);
      first ??= { label: way.label, result: reading.result };
      if (reading.result !== first.result) {
        throw new DemoError(
          `${title}: the results differ.\n  ${first.label}: ${first.result.slice(0, SHOWN)}\n  ${way.label}: ${reading.result.slice(0, SHOWN)}`,
        );
      }
    }
  }
  return runs;
}

/** Of all rounds: MB per CPU second, and the peak of the resident memory in MB. @param {readonly Reading[]} readings */
export function rateOf(readings) {
  const sum = (/** @type {(reading: Reading) => number} */ of) => readings.reduce((all, one) => all + of(one), 0);
  return {
    rate: sum(({ bytes }) => bytes) / 1e6 / sum(({ cpu }) => cpu),
    rss: Math.max(...readings.map(({ peakRss }) => peakRss)) / 1e6,
  };
}
