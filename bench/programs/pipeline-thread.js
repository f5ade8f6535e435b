// The threads of pipeline.js.
import { parentPort, workerData } from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { BufferPool, Channel } from 'slabpool';
// So that its collections count.
import '../garbage.js';

const MASK = 0x5ca1ab1e;

/** As WebSockets mask; of whole words. @param {Uint8Array} bytes @param {number} from @param {number} to */
function mask({ buffer, byteOffset }, from, to) {
  const words = new Int32Array(buffer, byteOffset + from, (to - from) / 4);
  for (let i = 0; i < words.length; i++) words[i] ^= MASK;
}

/** In whatever order blocks come. @param {Uint8Array} bytes @param {number} from @param {number} to */
function check(bytes, from, to) {
  Atomics.add(workerData.sums, 1, BigInt(crc32(bytes.subarray(from, to))));
  Atomics.add(workerData.sums, 0, BigInt(to - from));
}

/** @type {Record<string, () => unknown>} */
const kinds = {
  async masker() {
    const pool = BufferPool.attach(workerData.pool);
    const masked = Channel.attach(pool, workerData.masked);
    for await (const lease of Channel.attach(pool, workerData.blocks)) {
      mask(lease.bytes, lease.tag, lease.length);
      await masked.send(lease, lease.length, lease.tag);
    }
    pool.close();
  },
  async checker() {
    const pool = BufferPool.attach(workerData.pool);
    for await (const lease of Channel.attach(pool, workerData.masked)) {
      check(lease.bytes, lease.tag, lease.length);
      lease.release();
    }
    pool.close();
  },
  postingMasker() {
    const { port, transferred } = workerData;
    parentPort?.on('message', (/** @type {Uint8Array<ArrayBuffer>} */ bytes) => {
      mask(bytes, 0, bytes.length);
      port.postMessage(bytes, transferred ? [bytes.buffer] : []);
    });
  },
  postingChecker() {
    for (const input of workerData.inputs) {
      input.on('message', (/** @type {Uint8Array} */ bytes) => {
        check(bytes, 0, bytes.length);
        parentPort?.postMessage('one more');
      });
    }
  },
};

await kinds[workerData.kind]?.();
