// Garbage: collecting it, and how often and how long it is collected, in all threads of a benchmark that import this.
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const KEY = 'slabpool bench: collections';
/** How many there were, and how long they took in microseconds: memory that all threads share. @type {Int32Array} */
const collected = isMainThread
  ? new Int32Array(new SharedArrayBuffer(8))
  : /** @type {any} */ (getEnvironmentData(KEY));
if (isMainThread) setEnvironmentData(KEY, collected);

if (PerformanceObserver.supportedEntryTypes.includes('gc')) {
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) {
      Atomics.add(collected, 0, 1);
      Atomics.add(collected, 1, Math.round(duration * 1000));
    }
  }).observe({ entryTypes: ['gc'] });
}

/** So far, as far as it is {@link reported}. On Bun nobody tells. */
export function collections() {
  return { collections: Atomics.load(collected, 0), gcMs: Atomics.load(collected, 1) / 1000 };
}

/** When this thread has told of its own: Node hands collections to observers some turns later. */
export const reported = () => setTimeout(5);

export const collectGarbage = collector();

/** @returns {() => void} */
function collector() {
  const { Bun } = /** @type {{ Bun?: { gc(force: boolean): void } }} */ (globalThis);
  if (Bun !== undefined) return () => Bun.gc(true);
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
