// node examples/all-cores.js FILE: adds up the whole numbers in a file, in blocks of whole lines, on all cores. By a WorkerPool, whose
// buffers go round; and by piscina with transferList, which takes each for good. Each starts threads of its own, twice.
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { move, Piscina } from 'piscina';
import { BufferPool } from 'slabpool';
import { job, WorkerPool } from 'slabpool/worker';

/** @typedef {import('node:fs/promises').FileHandle} File @typedef {{ bytes: Uint8Array }} Block a lease, or as good as one */

const BLOCK = 1024 * 1024;
const filename = fileURLToPath(import.meta.url);

/** In a thread. */
export default job((/** @type {{ block: Block, length: number }} */ { block, length }) =>
  total(block.bytes.subarray(0, length)),
);

/** In a thread of piscina's. @param {Uint8Array} bytes */
export function total(bytes) {
  let [sum, number] = [0, 0];
  for (const byte of bytes) {
    const digit = byte - 48;
    if (digit < 0 || digit > 9) sum += number;
    number = digit < 0 || digit > 9 ? 0 : number * 10 + digit;
  }
  return sum + number;
}

/** @param {File} file @param {() => Promise<Block>} next @param {(block: Block, length: number) => Promise<number>} run */
async function addUp(file, next, run) {
  const sums = [];
  for (let at = 0, length = -1; length !== 0; at += length) {
    const block = await next();
    const { bytesRead } = await file.read(block.bytes, 0, BLOCK, at);
    // What comes after the last whole line is read again with the next block.
    length = bytesRead < BLOCK ? bytesRead : block.bytes.lastIndexOf(10, BLOCK - 1) + 1;
    if (length === 0 && bytesRead > 0) throw new Error(`a line is longer than ${BLOCK} bytes`);
    sums.push(run(block, length));
  }
  return (await Promise.all(sums)).reduce((sum, part) => sum + part, 0);
}

/** @param {File} file */
async function byLeases(file) {
  const pool = new BufferPool({ name: 'all-cores', maxBytes: 64 * BLOCK });
  const workers = /** @type {WorkerPool<object, number>} */ (new WorkerPool({ filename, pool }));
  const next = () => workers.ready().then(() => pool.acquire(BLOCK)); // not more blocks than the threads can do
  const sum = await addUp(file, next, (block, length) => workers.run({ block, length }));
  await workers.close();
  pool.close();
  return sum;
}

/** @param {File} file */
async function byTransfer(file) {
  const piscina = new Piscina({ filename, name: 'total', maxThreads: availableParallelism() });
  const next = async () => {
    if (piscina.needsDrain) await once(piscina, 'drain');
    return { bytes: Buffer.allocUnsafeSlow(BLOCK) };
  };
  const sum = await addUp(file, next, ({ bytes }, length) => piscina.run(move(bytes.subarray(0, length)))); // transferList
  await piscina.close();
  return sum;
}

if (isMainThread) {
  const file = await open(process.argv[2] ?? 'README.md');
  for (const way of [byLeases, byTransfer, byLeases, byTransfer]) {
    const started = performance.now();
    console.log(`${await way(file)} ${way.name}, ${Math.round(performance.now() - started)} ms`);
  }
  await file.close();
}
