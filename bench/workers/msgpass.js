// The threads of msgpass.js.
import '../garbage.js';
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';

const { kind, size, received, inputs, outputs } = workerData;
let sink = 0;

/** Answers for all consumers if this was the last one. @param {number} byte */
function consumed(byte) {
  sink += byte;
  if (Atomics.add(received, 0, 1) + 1 === received[1]) parentPort?.postMessage(sink);
}

/** @type {Record<string, (pool: BufferPool, first: Channel, second: Channel) => unknown>} */
const kinds = {
  producer(pool, first) {
    parentPort?.on('message', async (count) => {
      for (let i = 0; i < count; i++) {
        const lease = pool.acquire(size);
        lease.bytes[0] = i;
        if (!first.trySend(lease)) await first.send(lease);
      }
      parentPort?.postMessage(count);
    });
  },
  async proxy(_, first, second) {
    for (;;) {
      const leases = await first.receiveMany();
      if (leases.length === 0) return;
      await second.sendMany(leases);
    }
  },
  async consumer(_pool, _first, second) {
    for (;;) {
      const leases = await second.receiveMany();
      if (leases.length === 0) return;
      for (const lease of leases) {
        consumed(/** @type {number} */ (lease.bytes[0]));
        lease.release();
      }
    }
  },
};

/** A message is the number of the producer that it goes back to, and its buffer. @type {Record<string, () => void>} */
const posting = {
  posting() {
    const idle = Array.from({ length: workerData.inFlight }, () => new ArrayBuffer(size));
    let left = 0;
    const supply = () => {
      for (; left > 0 && idle.length > 0; left--) {
        const buffer = /** @type {ArrayBuffer} */ (idle.pop());
        new Uint8Array(buffer)[0] = left;
        outputs[left % outputs.length].postMessage([workerData.number, buffer], [buffer]);
        if (left === 1) parentPort?.postMessage('all sent');
      }
    };
    for (const port of inputs) {
      port.on('message', (/** @type {[number, ArrayBuffer]} */ [, buffer]) => {
        idle.push(buffer);
        supply();
      });
    }
    parentPort?.on('message', (count) => {
      left = count;
      supply();
    });
  },
  postingOn() {
    let turn = 0;
    for (const port of inputs) {
      port.on('message', (/** @type {[number, ArrayBuffer]} */ message) => {
        outputs[turn++ % outputs.length].postMessage(message, [message[1]]);
      });
    }
  },
  postingBack() {
    for (const port of inputs) {
      port.on('message', (/** @type {[number, ArrayBuffer]} */ [producer, buffer]) => {
        consumed(/** @type {number} */ (new Uint8Array(buffer)[0]));
        outputs[producer].postMessage([producer, buffer], [buffer]);
      });
    }
  },
};

if (kind in posting) {
  /** @type {() => void} */ (posting[kind])();
} else {
  const pool = BufferPool.attach(workerData.pool);
  const [first, second] = [workerData.first, workerData.second].map((handle) => Channel.attach(pool, handle));
  /** @type {any} */ (kinds[kind])(pool, first, second);
}
