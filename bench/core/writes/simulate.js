// Threads that work, and now and then need a line of memory that all of them write to, which only one core has at a time.
import { random } from '../../sizes.js';

/** Blocks that each thread takes. */
const BLOCKS = 20_000;

/**
 * @param {object} machine
 * @param {number} machine.workNs what a block takes of a core's time, between lines
 * @param {readonly number[]} machine.lines how often each line is written, for each block
 * @param {number} machine.moveNs how long a line takes from core to core
 * @param {number} machine.threads
 * @param {number} machine.cores threads share them evenly
 * @returns {number} blocks a nanosecond
 */
export function simulate({ workNs, lines, moveNs, threads, cores }) {
  const next = random();
  const share = Math.max(1, threads / cores);
  const freeAt = lines.map(() => 0);
  /** When each thread is done with its block. */
  const at = Array.from({ length: threads }, () => next() * workNs);
  for (let block = 0; block < BLOCKS * threads; block++) {
    const thread = at.indexOf(Math.min(...at));
    let time = /** @type {number} */ (at[thread]);
    for (const [line, writes] of lines.entries()) {
      if (next() >= writes) continue;
      time = Math.max(time, /** @type {number} */ (freeAt[line])) + moveNs;
      freeAt[line] = time;
    }
    at[thread] = time + workNs * share * (0.5 + next());
  }
  return (BLOCKS * threads) / Math.max(...at);
}
