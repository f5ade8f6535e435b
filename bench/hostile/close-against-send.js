import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';

const SIZE = 4096;
/** Messages that are received before the channel is closed. */
const BEFORE = 50;

/**
 * A worker sends as fast as it can, while this thread receives and closes, again and again: what was accepted, and had not been received
 * when the end was told.
 * @param {number} seconds
 */
export async function closeAgainstSend(seconds) {
  const pool = new BufferPool({ maxBytes: 2 ** 26, tiers: [SIZE], backend: 'native' });
  const worker = new Worker(new URL(import.meta.url), { workerData: { sends: pool.handle } });
  const until = performance.now() + seconds * 1000;
  let rounds = 0;
  let lost = 0;
  for (; performance.now() < until; rounds++) {
    const channel = new Channel(pool, { capacity: 1024 });
    worker.postMessage(channel.handle);
    while (channel.size === 0) await setImmediate();
    let received = drain(channel, BEFORE);
    channel.close();
    received += drain(channel, Infinity);
    const [accepted] = await once(worker, 'message');
    lost += accepted - received;
    channel.leave();
  }
  await worker.terminate();
  pool.close();
  return { rounds, lost };
}

/** @param {Channel} channel @param {number} most */
function drain(channel, most) {
  for (let received = 0; ; received++) {
    const lease = received < most ? channel.tryReceive() : null;
    if (lease === null) return received;
    lease.release();
  }
}

function send() {
  const pool = BufferPool.attach(workerData.sends);
  parentPort?.on('message', async (handle) => {
    const channel = Channel.attach(pool, handle);
    let accepted = 0;
    for (let open = true; open; ) {
      const lease = pool.acquire(SIZE);
      try {
        if (channel.trySend(lease)) accepted++;
        else lease.release();
      } catch (error) {
        lease.release();
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ERR_SLABPOOL_CHANNEL_CLOSED') throw error;
        open = false;
      }
    }
    parentPort?.postMessage(accepted);
    channel.leave();
  });
}

if (!isMainThread && workerData?.sends !== undefined) send();
