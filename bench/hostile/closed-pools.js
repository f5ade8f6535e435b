import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { BufferPool } from 'slabpool';

const SETTLED = 1000;

/**
 * Pools, one after another, that each touch every default tier once and are closed: what the process has of mappings and of memory
 * after the first thousand, when code and arenas are there, and after all.
 * @param {number} count
 */
export async function closedPools(count) {
  const samples = [];
  for (let i = 1; i <= count; i++) {
    const pool = new BufferPool({ backend: 'native' });
    for (const capacity of pool.tiers) {
      const lease = pool.acquire(capacity);
      lease.bytes[0] = 1;
      lease.release();
    }
    pool.close();
    if (i % 100 === 0) await setImmediate();
    if (i === SETTLED || i === count) samples.push({ mappings: mappings(), rss: process.memoryUsage().rss });
  }
  const [early, late] = /** @type {[typeof samples[0], typeof samples[0]]} */ (samples);
  return { early, late };
}

function mappings() {
  return readFileSync('/proc/self/maps', 'utf8').split('\n').length - 1;
}
