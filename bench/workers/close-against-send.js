// A sender of hostile/close-against-send.js: given a channel, it sends until that is closed, and says how many messages were accepted.
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';

const pool = BufferPool.attach(workerData.pool);

parentPort?.on('message', (handle) => {
  const channel = Channel.attach(pool, handle);
  let accepted = 0;
  for (let open = true; open; ) {
    const lease = pool.acquire(workerData.size);
    try {
      if (channel.trySend(lease)) accepted++;
      else lease.release();
    } catch (error) {
      lease.release();
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ERR_SLABPOOL_CHANNEL_CLOSED') throw error;
      open = false;
    }
  }
  channel.leave();
  parentPort?.postMessage(accepted);
});
