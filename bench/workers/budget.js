// A thread of budget.js: takes what it can get, holds some of it, and releases it.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { DRAWN, logUniform, random } from '../sizes.js';

const pool = BufferPool.attach(workerData.pool);
const next = random(workerData.seed);

parentPort?.on('message', (/** @type {number} */ milliseconds) => {
  /** @type {import('slabpool').Lease[]} */
  const held = [];
  let taken = 0;
  let refused = 0;
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    for (let i = 0; i < 100; i++) {
      try {
        const lease = pool.acquire(/** @type {number} */ (logUniform[(taken * 7 + i) & (DRAWN - 1)]) * 16);
        lease.bytes[0] = i;
        held.push(lease);
        taken++;
      } catch (error) {
        if (/** @type {{ code?: string }} */ (error).code !== 'ERR_SLABPOOL_EXHAUSTED') throw error;
        refused++;
        for (let n = Math.floor(held.length * next()); n > 0; n--) held.pop()?.release();
      }
    }
  }
  for (const lease of held) lease.release();
  pool.close();
  parentPort?.postMessage({ taken, refused });
});
