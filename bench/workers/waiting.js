// A thread of waiting.js: so many requests at once, each of which holds its block for a turn of the event loop.
import '../garbage.js';
import { setImmediate } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

const pool = BufferPool.attach(workerData.pool);

parentPort?.on('message', async (/** @type {number} */ count) => {
  let served = 0;
  let early = 0;
  await Promise.all(
    Array.from({ length: count }, async (_, i) => {
      const lease = await pool.acquireAsync(workerData.size);
      if (i !== served++) early++;
      lease.bytes[0] = i;
      await setImmediate();
      lease.release();
    }),
  );
  pool.close();
  parentPort?.postMessage({ served, early });
});
