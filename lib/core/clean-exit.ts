import process from 'node:process';
import { isMainThread } from 'node:worker_threads';

const CALLS = Symbol.for('slabpool.farewell');

/**
 * Calls it when this worker ends by itself, by `process.exit()` or by an error, but not when it is terminated. One listener a
 * thread, in how many realms of it this module may be loaded.
 */
export function atFarewell(call: () => void): void {
  if (isMainThread) return;
  const thread: { [CALLS]?: Set<() => void> } = process as object;
  let calls = thread[CALLS];
  if (calls === undefined) {
    calls = new Set();
    thread[CALLS] = calls;
    process.on('exit', () => {
      for (const each of thread[CALLS] ?? []) each();
    });
  }
  calls.add(call);
}
