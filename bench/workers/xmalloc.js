// The threads of xmalloc.js.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { FairPool } from '../baseline/fair.js';
import { DRAWN, logUniform } from '../sizes.js';

const { batch, port } = workerData;
let drawn = 0;
let sink = 0;

const nextSize = () => /** @type {number} */ (logUniform[drawn++ & (DRAWN - 1)]);

/** @type {Record<string, () => void>} */
const kinds = {
  acquirer() {
    const pool = BufferPool.attach(workerData.pool);
    const channel = Channel.attach(pool, workerData.channel);
    const live = new Int32Array(workerData.live);
    const leases = new Array(batch);
    parentPort?.on('message', async ({ count, accounted }) => {
      let peak = 0;
      for (let sent = 0; sent < count; sent += batch) {
        for (let i = 0; i < batch; i++) {
          const lease = pool.acquire(nextSize());
          lease.bytes[0] = i;
          leases[i] = lease;
          if (accounted) peak = Math.max(peak, Atomics.add(live, 0, lease.capacity) + lease.capacity);
        }
        await channel.sendMany(leases);
      }
      parentPort?.postMessage({ hitRate: pool.stats().hitRate, peak });
    });
  },
  releaser() {
    const pool = BufferPool.attach(workerData.pool);
    const channel = Channel.attach(pool, workerData.channel);
    const live = new Int32Array(workerData.live);
    parentPort?.on('message', async ({ count, accounted }) => {
      for (let received = 0; received < count; ) {
        const leases = await channel.receiveMany(Math.min(batch, count - received));
        if (leases.length === 0) throw new Error('the channel was closed');
        for (const lease of leases) {
          sink += lease.bytes[0];
          if (accounted) Atomics.sub(live, 0, lease.capacity);
          lease.release();
        }
        received += leases.length;
      }
      parentPort?.postMessage({ hitRate: 1, peak: 0, sink });
    });
  },
  fairAcquirer() {
    const pool = new FairPool();
    let toSend = 0;
    let toReturn = 0;
    let under = 0;
    const supply = () => {
      for (; toSend > 0 && under < workerData.queue; toSend -= batch, under += batch) {
        const buffers = new Array(batch);
        for (let i = 0; i < batch; i++) {
          const { bytes } = pool.acquire(nextSize());
          bytes[0] = i;
          buffers[i] = bytes.buffer;
        }
        port.postMessage(buffers, buffers);
      }
    };
    port.on('message', (/** @type {ArrayBuffer[]} */ buffers) => {
      for (const buffer of buffers) pool.takeBack(buffer);
      under -= batch;
      toReturn -= batch;
      supply();
      if (toReturn === 0) parentPort?.postMessage(pool.stats());
    });
    parentPort?.on('message', ({ count }) => {
      toSend = count;
      toReturn = count;
      supply();
    });
  },
  fairReleaser() {
    port.on('message', (/** @type {ArrayBuffer[]} */ buffers) => {
      for (const buffer of buffers) sink += /** @type {number} */ (new Uint8Array(buffer)[0]);
      port.postMessage(buffers, buffers);
    });
    // The acquirer knows when all of its buffers are back.
    parentPort?.on('message', () => parentPort?.postMessage({}));
  },
};

/** @type {() => void} */ (kinds[workerData.kind])();
