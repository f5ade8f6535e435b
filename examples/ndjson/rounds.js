/** @import { Result } from './tally.js' */
/** @import { Reading } from './meter.js' */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { DemoError } from './errors.js';

const runner = fileURLToPath(new URL('./runner.js', import.meta.url));

/** @typedef {'slabpool' | 'fair' | 'fresh'} Way */

/** @type {Record<Way, string>} */
export const LABELS = {
  slabpool: 'slabpool',
  fair: 'plain JS pool',
  fresh: 'fresh buffers',
};

export const WAYS = /** @type {Way[]} */ (Object.keys(LABELS));

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
 * @param {(done: number, way: Way) => void} onProgress runs done, in fractions, and the way that is running
 * @returns {Promise<Map<Way, Run[]>>}
 */
export async function race(file, size, rounds, onProgress) {
  const runs = new Map(WAYS.map((way) => [way, /** @type {Run[]} */ ([])]));
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < WAYS.length; i++) {
      const way = WAYS[(round + i) % WAYS.length];
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
    const child = fork(runner, [way, file]);
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
      else reject(new DemoError(`${LABELS[way]}: ${reason ?? `ended early (${signal ?? `exit code ${code}`})`}`));
    });
  });
}
