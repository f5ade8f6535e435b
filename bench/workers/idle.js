// A thread of hostile/trims.js that has a pool and nothing to do: asked for so many milliseconds, it says how late its event loop came
// at the most.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

const pool = BufferPool.attach(workerData);

parentPort?.on('message', async (/** @type {number} */ ms) => {
  // Something to flush when it is asked to.
  pool.acquire(1).release();
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await setTimeout(ms);
  delays.disable();
  parentPort?.postMessage(delays.max / 1e6);
});
