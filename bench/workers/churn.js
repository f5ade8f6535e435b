// A worker of churn.js: works until it is killed.
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

const pool = BufferPool.attach(workerData);
const kept = [...pool.acquireMany(4096, 50), ...pool.acquireMany(65_536, 10), pool.acquire(2_000_000)];
for (const { bytes } of kept) bytes[0] = 1;
parentPort?.postMessage(pool.acquireMany(16_384, 4).map((lease) => lease.transfer()));

function work() {
  for (let i = 0; i < 100; i++) pool.releaseMany(pool.acquireMany(1024 * (1 + (i % 64)), 20));
  setImmediate(work);
}
work();
