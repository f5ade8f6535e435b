// The receiver of handover.js: touches what comes, and gives it back.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { ByteRing } from '../byte-ring.js';
import { TicketRing } from '../ticket-ring.js';

let sink = 0;

/** @type {Record<string, () => void>} */
const kinds = {
  receive() {
    const pool = BufferPool.attach(workerData.pool);
    const channel = Channel.attach(pool, workerData.channel);
    parentPort?.on('message', async (count) => {
      for (let i = 0; i < count; i++) {
        const lease = channel.tryReceive() ?? (await channel.receive());
        if (lease === null) throw new Error('the channel was closed');
        sink += lease.bytes[0];
        lease.release();
      }
      parentPort?.postMessage(sink);
    });
  },
  receiveSync() {
    const pool = BufferPool.attach(workerData.pool);
    const channel = Channel.attach(pool, workerData.channel);
    parentPort?.on('message', (count) => {
      for (let i = 0; i < count; i++) {
        const lease = channel.receiveSync();
        if (lease === null) throw new Error('the channel was closed');
        sink += lease.bytes[0];
        lease.release();
      }
      parentPort?.postMessage(sink);
    });
  },
  receiveMany() {
    const pool = BufferPool.attach(workerData.pool);
    const channel = Channel.attach(pool, workerData.channel);
    parentPort?.on('message', async (count) => {
      for (let received = 0; received < count; ) {
        const leases = await channel.receiveMany();
        if (leases.length === 0) throw new Error('the channel was closed');
        for (const lease of leases) {
          sink += lease.bytes[0];
          lease.release();
        }
        received += leases.length;
      }
      parentPort?.postMessage(sink);
    });
  },
  tickets() {
    const pool = BufferPool.attach(workerData.pool);
    const ring = new TicketRing(workerData.memory);
    parentPort?.on('message', (count) => {
      for (let i = 0; i < count; i++) {
        const lease = pool.adopt(ring.pop());
        sink += lease.bytes[0];
        lease.release();
      }
      parentPort?.postMessage(sink);
    });
  },
  copied() {
    const ring = new ByteRing(workerData.memory);
    const words = new Uint32Array(workerData.size / 4);
    const bytes = new Uint8Array(words.buffer);
    parentPort?.on('message', (count) => {
      let received = 0;
      for (let i = 0; i < count; i++) {
        ring.pop(words);
        received += /** @type {number} */ (bytes[0]);
      }
      parentPort?.postMessage(received);
    });
  },
  recycled() {
    const { port } = workerData;
    port.on('message', (/** @type {ArrayBuffer} */ buffer) => {
      sink += new Uint8Array(buffer)[0];
      port.postMessage(buffer, [buffer]);
    });
  },
  fresh() {
    onEach((/** @type {ArrayBuffer} */ buffer) => new Uint8Array(buffer)[0]);
  },
  number() {
    onEach((/** @type {number} */ value) => value);
  },
};

/** @param {(message: any) => number} touch */
function onEach(touch) {
  const { port, credit } = workerData;
  let received = 0;
  port.on('message', (/** @type {unknown} */ message) => {
    sink += touch(message);
    if (++received % credit === 0) port.postMessage(received);
  });
}

/** @type {() => void} */ (kinds[workerData.kind])();
