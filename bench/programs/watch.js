// One way of a program, watched from outside, and the load on it.
import { watchResident } from '../resident.js';
import { Process } from './process.js';

/** Of a curve, at the most. */
const POINTS = 240;
const LEAST_MS = 25;

/** @typedef {[x: number, y: number][]} Points */

/**
 * @typedef {import('./child.js').Measured & {
 *   rss: Points,
 *   latencies?: Record<string, number>,
 *   byNines?: Points,
 *   result?: string,
 * }} Watched `latencies`: microseconds by their percentile; `result`: what was found, the same in each way
 */

/** @param {string} program @param {string} way @param {number} seconds @param {number} slices @returns {Promise<Watched>} */
export async function watch(program, way, seconds, slices) {
  const sampleMs = Math.max(LEAST_MS, (seconds * 1000) / POINTS);
  const one = new Process('child.js', program, way);
  /** @type {Process | undefined} */
  let load;
  /** @type {ReturnType<typeof watchResident> | undefined} */
  let resident;
  try {
    const { port } = await one.answer();
    if (port !== undefined) load = new Process('load.js', program, String(port));
    await load?.answer();
    resident = watchResident(one.pid, sampleMs);
    load?.tell('begin');
    const measured = await one.ask({ slices, sliceMs: (seconds * 1000) / slices, sampleMs });
    const rss = resident();
    const loaded = await load?.ask('end');
    const { units, result } = await one.ask('end');
    if (loaded === undefined) return { ...measured, rss, result };
    if (loaded.answers !== units) throw new Error(`${program}, ${way}: ${units} answered, ${loaded.answers} received`);
    return { ...measured, rss, latencies: loaded.latencies, byNines: loaded.byNines };
  } finally {
    resident?.();
    // First, since it fails when it is hung up on.
    await load?.end();
    await one.end();
  }
}
