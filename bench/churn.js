import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

const AT_ONCE = 4;
const SAMPLES = 10;
/** So short that the blocks of workers that were killed are soon used again. */
const EPOCH_MS = 100;
const MiB = 2 ** 20;

export const title = 'workers that are killed with leases out, one after another; what is left of them';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const workers = effort.smoke ? AT_ONCE * SAMPLES : 1000;
  const pool = new BufferPool({ epochMs: EPOCH_MS });
  const samples = [];
  for (let i = 0; i < SAMPLES; i++) {
    progress(`${(i * workers) / SAMPLES} of ${workers} workers`);
    await Promise.all(Array.from({ length: AT_ONCE }, () => series(pool, workers / SAMPLES / AT_ONCE)));
    samples.push({ ...processMemory(), resident: pool.stats().residentBytes });
  }
  // The first ones bring in code, arenas of malloc and the pool's own slabs.
  const settled = samples[2];
  const last = samples[SAMPLES - 1];
  if (settled === undefined || last === undefined) throw new Error(`${SAMPLES} samples are too few`);
  facts({
    workers,
    ...trail(
      'RSS',
      samples.map(({ rss }) => rss),
    ),
    ...trail(
      'address space',
      samples.map(({ size }) => size),
    ),
    ...trail(
      'resident in the pool',
      samples.map(({ resident }) => resident),
    ),
    'RSS, last sample over third': last.rss / settled.rss,
    'address space, last sample over third': last.size / settled.size,
    'resident in the pool, last sample over third': last.resident / settled.resident,
    'leases out in the main thread': pool.outstanding(),
  });
}

/** @param {string} what @param {readonly number[]} bytes */
function trail(what, bytes) {
  return Object.fromEntries(bytes.map((n, i) => [`${what}, MiB, sample ${i + 1}`, Math.round(n / MiB)]));
}

/** @param {BufferPool} pool @param {number} count */
async function series(pool, count) {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(new URL('workers/churn.js', import.meta.url), { workerData: pool.handle });
    const [tickets] = await once(worker, 'message');
    for (const ticket of tickets) pool.adopt(ticket).release();
    await worker.terminate();
  }
}

function processMemory() {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const bytes = (/** @type {string} */ key) => Number(new RegExp(`${key}:\\s+(\\d+) kB`).exec(status)?.[1] ?? 0) * 1024;
  return { rss: process.memoryUsage().rss, size: bytes('VmSize') };
}
