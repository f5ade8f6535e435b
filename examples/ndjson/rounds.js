/** @import { Result } from './tally.js' */
/** @import { Reading } from './meter.js' */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DemoError } from './errors.js';

const runner = fileURLToPath(new URL('./runner.js', import.meta.url));

/**
 * @typedef {object} Way
 * @property {string} label
 * @property {string[]} args what runner.js gets after the file
 */

/** On one thread. The first is what the others are compared with. @type {readonly Way[]} */
export const WAYS = [
  { label: 'slabpool', args: ['slabpool'] },
  { label: 'plain JS pool', args: ['fair'] },
  { label: 'fresh buffers', args: ['fresh'] },
];

/** @param {number} workers @returns {readonly Way[]} */
export const waysOn = (workers) => [
  { label: 'slabpool Channel', args: ['slabpool', `${workers}`] },
  { label: 'plain JS pool, buffers transferred there and back', args: ['recycled', `${workers}`] },
  { label: 'fresh buffers, transferred', args: ['fresh', `${workers}`] },
  { label: 'slabpool, one thread', args: ['slabpool'] },
];

/**
 * @typedef {object} Run
 * @property {Result} result
 * @property {Reading} reading
 * @property {number} [hitRate]
 * @property {{ kind: string, reason: string }} [backend]
 */

/**
 * Every way once a round. Each round starts with another way, so that none always runs first.
 *
 * @param {string} file
 * @param {number} size bytes in the file
 * @param {number} rounds
 * @param {readonly Way[]} ways
 * @param {(done: number, way: Way) => void} onProgress runs done, in fractions, and the way that is running
 * @returns {Promise<Map<Way, Run[]>>}
 */
export async function race(file, size, rounds, ways, onProgress) {
  const runs = new Map(ways.map((way) => [way, /** @type {Run[]} */ ([])]));
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(round + i) % ways.length];
      onProgress(done, way);
      const run = await runAlone(way, file, (bytes) => onProgress(done + bytes / size, way));
      runs.get(way)?.push(run);
      onProgress(++done, way);
    }
  }
  return runs;
}

/**
 * @param {Way} way
 * @param {string} file
 * @param {(bytes: number) => void} onBytes
 * @returns {Promise<Run>}
 */
function runAlone(way, file, onBytes) {
  return new Promise((resolve, reject) => {
    const child = fork(runner, [file, ...way.args]);
    /** @type {Run | undefined} */
    let run;
    /** @type {string | undefined} */
    let reason;
    child.on('message', (/** @type {{ bytes?: number, run?: Run, error?: string }} */ message) => {
      if (message.bytes !== undefined) onBytes(message.bytes);
      run ??= message.run;
      reason ??= message.error;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (run && code === 0) resolve(run);
      else reject(new DemoError(`${way.label}: ${reason ?? `ended early (${signal ?? `exit code ${code}`})`}`));
    });
  });
}
