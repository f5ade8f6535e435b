// A thread or a process of scaling.js: bursts for a given time.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool } from 'slabpool';

const pool = parentPort === null ? new BufferPool() : BufferPool.attach(workerData.pool);
const held = new Array(1000);
let sink = 0;

/** @param {{ size: number, burst: number, milliseconds: number }} job @returns {{ rate: number, sink: number }} pairs a second */
function work({ size, burst, milliseconds }) {
  const started = performance.now();
  for (let pairs = 0; ; ) {
    for (let bursts = 0; bursts < 20; bursts++) {
      for (let i = 0; i < burst; i++) {
        const lease = pool.acquire(size);
        lease.bytes[0] = i;
        held[i] = lease;
      }
      for (let i = 0; i < burst; i++) {
        sink += held[i].bytes[0];
        held[i].release();
      }
      pairs += burst;
    }
    const elapsed = performance.now() - started;
    if (elapsed > milliseconds) return { rate: (pairs / elapsed) * 1000, sink };
  }
}

if (parentPort === null) process.on('message', (job) => process.send?.(work(/** @type {any} */ (job))));
else parentPort.on('message', (job) => parentPort?.postMessage(work(job)));
