// Threads in a row: this one reads a file again and again, two mask its blocks, one checks them.
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { fromFile } from 'slabpool/io';
import { plainFile } from '../io/data.js';

const KIB = 1024;
const BLOCK = 256 * KIB;
const FILE_BYTES = 2 ** 24;
const MASKERS = 2;
/** Blocks on their way, at the most, but for those in a thread's hands. */
const WINDOW = 16;

export const what = 'blocks of a file through threads: one reads, two mask them, one makes checksums';
export const unit = 'KiB';

/** @param {object} data @param {import('node:worker_threads').Transferable[]} [transferList] */
const start = (data, transferList = []) =>
  new Worker(new URL('pipeline-thread.js', import.meta.url), { workerData: data, transferList });

/**
 * @param {BigInt64Array} sums of bytes, of checksums
 * @param {(path: string) => Promise<void>} pass sends all blocks of the file @param {() => Promise<void>} drained all are checked
 * @returns {Promise<import('./child.js').Program>}
 */
async function program(sums, pass, drained) {
  const { path } = plainFile(FILE_BYTES);
  let ending = false;
  let passes = 0n;
  const fed = (async () => {
    for (; !ending; passes++) await pass(path);
  })();
  const bytes = () => Number(Atomics.load(sums, 0));
  // Until its threads have started.
  while (bytes() === 0) await setTimeout(1);
  return {
    counts: () => ({ units: bytes() / KIB, bytes: bytes() }),
    async end() {
      ending = true;
      await fed;
      await drained();
      return [...sums].map((sum) => `${sum / passes}, rest ${sum % passes}`).join('; ');
    },
  };
}

function channels() {
  const pool = new BufferPool();
  const blocks = new Channel(pool, { capacity: WINDOW / 2 });
  const masked = new Channel(pool, { capacity: WINDOW / 2 });
  const sums = new BigInt64Array(new SharedArrayBuffer(16));
  const data = { pool: pool.handle, blocks: blocks.handle, masked: masked.handle, sums };
  const maskers = Array.from({ length: MASKERS }, () => once(start({ ...data, kind: 'masker' }), 'exit'));
  const checker = once(start({ ...data, kind: 'checker' }), 'exit');
  return program(
    sums,
    async (path) => {
      for await (const { lease, start, end } of fromFile(pool, path, { block: BLOCK })) {
        await blocks.send(lease, end, start);
      }
    },
    async () => {
      blocks.close();
      await Promise.all(maskers);
      masked.close();
      await checker;
    },
  );
}

/** @param {boolean} transferred or cloned */
function posted(transferred) {
  const sums = new BigInt64Array(new SharedArrayBuffer(16));
  const ports = Array.from({ length: MASKERS }, () => new MessageChannel());
  const inputs = ports.map(({ port2 }) => port2);
  const maskers = ports.map(({ port1 }) => start({ kind: 'postingMasker', port: port1, transferred }, [port1]));
  const checker = start({ kind: 'postingChecker', inputs, sums }, inputs);
  let underWay = 0;
  let turn = 0;
  let wake = () => {};
  checker.on('message', () => {
    underWay--;
    wake();
  });
  /** @param {number} most */
  const room = async (most) => {
    while (underWay > most) {
      await /** @type {Promise<void>} */ (
        new Promise((resolve) => {
          wake = resolve;
        })
      );
    }
  };
  return program(
    sums,
    async (path) => {
      for await (const chunk of createReadStream(path, { highWaterMark: BLOCK })) {
        await room(WINDOW - 1);
        underWay++;
        maskers[turn++ % MASKERS]?.postMessage(chunk, transferred ? [chunk.buffer] : []);
      }
    },
    () => room(0),
  );
}

export const ways = {
  slabpool: channels,
  'postMessage, transferred': () => posted(true),
  'postMessage, cloned': () => posted(false),
};
