// A process of hostile/collections.js: a program that makes garbage, beside a pool of so many MiB that is warm. Prints as JSON how many
// collections there were, and how long they took.
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';

const MiB = 2 ** 20;
const TURN = 5000;
/** Of the requests that a program is at work on, and of those whose answers it keeps for a while, with their buffers. */
const CURRENT = 1000;
const KEPT = 1000;
const ONE_IN = 20;
const BUFFER = 16 * 1024;

const [warm = 0, objects = 0] = process.argv.slice(2).map(Number);
const pool = new BufferPool({ maxBytes: Math.max(1, warm) * MiB });
if (warm > 0) pool.prewarm(64 * 1024, (warm * MiB) / (64 * 1024));

const counts = { minor: 0, major: 0, ms: 0 };
const observer = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { duration, detail } =
      /** @type {import('node:perf_hooks').PerformanceEntry & { detail: { kind: number } }} */ (entry);
    const { kind } = detail;
    if (kind === constants.NODE_PERFORMANCE_GC_MINOR) counts.minor++;
    else if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) counts.major++;
    counts.ms += duration;
  }
});

/** @type {unknown[]} */
const current = Array.from({ length: CURRENT });
/** @type {unknown[]} */
const kept = Array.from({ length: KEPT });
/** @param {number} from @param {number} to */
function work(from, to) {
  for (let i = from; i < to; i++) {
    current[i % CURRENT] = { i, name: `request ${i}`, parts: [i, i + 1, { i }] };
    if (i % ONE_IN === 0) kept[(i / ONE_IN) % KEPT] = Buffer.allocUnsafeSlow(BUFFER);
  }
}

work(0, 2 * KEPT * ONE_IN);
await setTimeout(50);
observer.observe({ entryTypes: ['gc'] });
for (let i = 0; i < objects; i += TURN) {
  work(i, i + TURN);
  await setTimeout(0);
}
await setTimeout(50);
console.log(JSON.stringify(counts));
pool.close();
