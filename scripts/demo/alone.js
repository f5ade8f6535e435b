// One way of a job in a process of its own, so that compiled code, memory and collections are its own.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('../../bench/io/child.js', import.meta.url));

/** Something that a person can understand and change: its message says all there is, so it is told without a stack. */
export class DemoError extends Error {}

/**
 * @param {string} label
 * @param {string[]} args of bench/io/child.js, but for the seconds
 * @param {string} input the NDJSON file
 * @param {number} seconds
 * @returns {Promise<import('./jobs.js').Reading>}
 */
export function runAlone(label, args, input, seconds) {
  const options = { env: { ...process.env, SLABPOOL_BENCH_FILE: input }, maxBuffer: 2 ** 28 };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [child, ...args, `${seconds}`], options, (error, stdout, stderr) => {
      if (error === null) resolve(JSON.parse(stdout));
      else
        reject(new DemoError(`${label} ended early (${error.signal ?? `exit code ${error.code}`}):\n${stderr.trim()}`));
    });
  });
}
