/** @import { Run, Way } from './rounds.js' */

const MIB = 1024 * 1024;

/** Seconds. In a shorter pass, compiling the parser is most of the work. */
const SHORTEST = 0.2;

/**
 * One way over all its rounds: medians, and its speed in each round.
 *
 * @typedef {object} Summary
 * @property {number} seconds a pass
 * @property {number} speed MB/s
 * @property {number[]} speeds MB/s, by round
 * @property {number} scavenges
 * @property {number} fullCollections
 * @property {number} gcMs
 * @property {number} peakRss MiB
 * @property {number} startRss MiB
 * @property {number} peakExternal MiB
 * @property {number | undefined} hitRate
 * @property {Run['backend']} backend
 */

/**
 * @param {Run[]} runs
 * @param {number} size bytes in the file
 * @returns {Summary}
 */
export function summarize(runs, size) {
  const readings = runs.map(({ reading }) => reading);
  const speeds = readings.map(({ seconds }) => size / 1e6 / seconds);
  const hitRates = runs.flatMap(({ hitRate }) => (hitRate === undefined ? [] : [hitRate]));
  return {
    seconds: median(readings.map(({ seconds }) => seconds)),
    speed: median(speeds),
    speeds,
    scavenges: median(readings.map(({ scavenges }) => scavenges)),
    fullCollections: median(readings.map(({ fullCollections }) => fullCollections)),
    gcMs: median(readings.map(({ gcMs }) => gcMs)),
    peakRss: median(readings.map(({ peakRss }) => peakRss)) / MIB,
    startRss: median(readings.map(({ startRss }) => startRss)) / MIB,
    peakExternal: median(readings.map(({ peakExternal }) => peakExternal)) / MIB,
    hitRate: hitRates.length > 0 ? median(hitRates) : undefined,
    backend: runs[0].backend,
  };
}

/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * What was seen, in plain words, whichever way it came out.
 *
 * @param {Map<Way, Summary>} summaries the first is what the others are compared with
 * @param {number} rounds
 * @returns {string}
 */
export function inWords(summaries, rounds) {
  const [[{ label: name }, own], ...others] = summaries;
  if (own.seconds < SHORTEST) {
    return `A pass took ${(own.seconds * 1000).toFixed(0)} ms: too short to compare anything but the results.`;
  }
  if (rounds < 2) return 'One round cannot tell a difference from chance: only the results were compared.';
  const parts = others.map(([{ label }, other]) => {
    const [speed, memory, collector] = [speedWords(own, other), memoryWords(own, other), collectorWords(own, other)];
    return `Against ${label}: ${speed}; peak memory ${memory}; garbage collection ${collector}.`;
  });
  const { backend } = own;
  const without = backend && backend.kind !== 'native' ? ` without its native core (${backend.reason})` : '';
  return [`Seen here: ${name}${without} read ${own.speed.toFixed(0)} MB/s.`, ...parts].join('\n');
}

/**
 * Round by round: the runs of a round are neighbours in time, so what else the machine does weighs on them alike.
 *
 * @param {Summary} own
 * @param {Summary} other
 */
export function ratio(own, other) {
  const ratios = own.speeds.map((speed, round) => speed / other.speeds[round]);
  return { median: median(ratios), above: ratios.filter((value) => value > 1).length };
}

/**
 * A difference counts when every round shows it.
 *
 * @param {Summary} own
 * @param {Summary} other
 */
function speedWords(own, other) {
  const rounds = own.speeds.length;
  const { median: middle, above } = ratio(own, other);
  const words = `${(Math.abs(middle - 1) * 100).toFixed(1)} % ${middle < 1 ? 'slower' : 'faster'}`;
  if (above === rounds || above === 0) return `${words} (in every round)`;
  return `level in speed (faster in ${above} of ${rounds} rounds; median ${words})`;
}

/**
 * Less than 2 MiB comes and goes between two runs of the same program.
 *
 * @param {Summary} own
 * @param {Summary} other
 */
function memoryWords(own, other) {
  return moreOrLess(own.peakRss - other.peakRss, 2, 'MiB');
}

/**
 * @param {Summary} own
 * @param {Summary} other
 */
function collectorWords(own, other) {
  return moreOrLess(own.gcMs - other.gcMs, 1, 'ms');
}

/**
 * @param {number} more
 * @param {number} least
 * @param {string} unit
 */
function moreOrLess(more, least, unit) {
  if (Math.abs(more) < least) return `the same (within ${least} ${unit})`;
  return `${Math.abs(more).toFixed(0)} ${unit} ${more > 0 ? 'more' : 'less'}`;
}
