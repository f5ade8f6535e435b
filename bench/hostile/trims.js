import { setTimeout } from 'node:timers/promises';
import { median } from 'simple-statistics';
import { BufferPool } from 'slabpool';
import { collectGarbage } from '../garbage.js';
import { Thread } from '../threads.js';

const SIZE = 4096;
export const MIB = 256;
const BLOCKS = (MIB * 2 ** 20) / SIZE;
/** Blocks of a slab. */
const SLAB = 512;
/** Milliseconds in which a worker looks at its event loop. */
const WINDOW = 400;

/**
 * `trim()` of so much in blocks of 4 KiB, of which this share is leased, spread evenly; and how late the event loop of a worker comes
 * meanwhile, that has the pool and does nothing.
 * @param {number} rounds @param {number} leased
 */
export async function trims(rounds, leased) {
  const keeps = (/** @type {unknown} */ _, /** @type {number} */ i) => leased > 0 && i % (1 / leased) === 0;
  const pool = new BufferPool({ maxBytes: 2 * BLOCKS * SIZE, tiers: [SIZE], epochMs: 0, backend: 'native' });
  const worker = new Thread('idle', pool.handle);
  /** The longest of each round: what else the machine does is in most of them not to be seen. */
  const delays = { idle: /** @type {number[]} */ ([]), trimming: /** @type {number[]} */ ([]) };
  /** @type {number[]} */
  const times = [];
  let calls = 0;
  for (let round = 0; round < rounds; round++) {
    delays.idle.push(await worker.ask(WINDOW));
    const leases = pool.acquireMany(SIZE, BLOCKS);
    for (const lease of leases) lease.bytes[0] = 1;
    const kept = leases.filter(keeps);
    pool.releaseMany(leases.filter((lease, i) => !keeps(lease, i)));
    const before = pool.stats().drops.calls;
    // The helpers of the collector would take the worker's core.
    collectGarbage();
    const delay = worker.ask(WINDOW);
    await setTimeout(WINDOW / 10);
    const from = performance.now();
    pool.trim();
    times.push(performance.now() - from);
    delays.trimming.push(await delay);
    calls = pool.stats().drops.calls - before;
    pool.releaseMany(kept);
    pool.trim();
  }
  await worker.end();
  pool.close();
  // At most: a slab has one more than leases; and the worker's block has a slab of its own, or parts one and goes by itself.
  const runs = BLOCKS / SLAB + BLOCKS * leased + 2;
  return { ms: median(times), calls, runs, idle: median(delays.idle), trimming: median(delays.trimming) };
}
