/** @import { Sender } from './crossings/crossing.js' */
/** @import { Result } from './tally.js' */
import { open } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { recordBlocksOf } from './cutter.js';
import { DemoError } from './errors.js';
import { joined } from './tally.js';

/**
 * read blocks of whole records here -> hand each to one of several threads, which parses and counts it -> add up.
 *
 * @param {string} path
 * @param {string} crossing how the blocks get there: a file of crossings/
 * @param {number} workers
 * @param {Sender} sender its other half
 * @param {(bytes: number) => void} onBytes called after each block with the bytes done so far
 * @returns {Promise<Result>}
 */
export async function aggregateOnThreads(path, crossing, workers, sender, onBytes) {
  const threads = Array.from({ length: workers }, () => start(crossing, sender));
  const results = Promise.all(threads.map(({ result }) => result));
  const file = await open(path);
  try {
    let done = 0;
    const sent = async () => {
      for await (const block of recordBlocksOf(file, (await file.stat()).size, sender.allocator)) {
        await sender.send(block);
        done += block.end - block.start;
        onBytes(done);
      }
    };
    // A thread that fails takes no more blocks: then sending would wait for ever.
    await Promise.race([sent(), results]);
    sender.end();
    return joined(await results);
  } finally {
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    await file.close();
  }
}

/**
 * @param {string} crossing
 * @param {Sender} sender
 */
function start(crossing, sender) {
  const { data, transferList = [] } = sender.invite();
  const worker = new Worker(new URL('./parser.js', import.meta.url), { workerData: { crossing, data }, transferList });
  /** @type {Promise<Result>} */
  const result = new Promise((resolve, reject) => {
    worker.on('message', (/** @type {{ result: Result } | { error: string }} */ message) => {
      if ('result' in message) resolve(message.result);
      else reject(new DemoError(message.error));
    });
    worker.on('error', reject);
    worker.on('exit', (code) => reject(new DemoError(`a thread ended early (exit code ${code})`)));
  });
  return { worker, result };
}
