/**
 * One way, one pass over the file, in a process of its own, started by rounds.js with an IPC channel:
 * `node runner.js FILE WAY`, or `node runner.js FILE CROSSING WORKERS` on several threads. Only that way's code is loaded,
 * so that memory and collections are its own.
 */
import { explain } from './errors.js';
import { Meter } from './meter.js';
import { aggregate } from './pipeline.js';
import { aggregateOnThreads } from './threads.js';

const SAMPLE_EVERY = 4 * 1024 * 1024;
const REPORT_EVERY = 32 * 1024 * 1024;

const [file, way, workers] = process.argv.slice(2);

/** @param {object} message */
const tell = (message) => new Promise((resolve) => process.send?.(message, resolve));

try {
  const { open } = await import(`./${workers === undefined ? 'ways' : 'crossings'}/${way}.js`);
  /** @type {import('./crossings/crossing.js').Sender | undefined} */
  const sender = workers === undefined ? undefined : open(Number(workers));
  /** @type {import('./allocator.js').Allocator} */
  const allocator = sender?.allocator ?? open();
  const meter = new Meter();
  let sampled = 0;
  let reported = 0;
  const onBytes = (/** @type {number} */ bytes) => {
    if (bytes - sampled >= SAMPLE_EVERY) {
      sampled = bytes;
      meter.sample();
    }
    if (bytes - reported >= REPORT_EVERY) {
      reported = bytes;
      void tell({ bytes });
    }
  };
  const result = sender
    ? await aggregateOnThreads(file, way, Number(workers), sender, onBytes)
    : await aggregate(file, allocator, onBytes);
  const reading = await meter.stop();
  const hitRate = allocator.hitRate();
  allocator.close();
  await tell({ run: { result, reading, hitRate, backend: allocator.backend } });
} catch (error) {
  await tell({ error: explain(error) });
  process.exitCode = 1;
} finally {
  process.disconnect?.();
}
