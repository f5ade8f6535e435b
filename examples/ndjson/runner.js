/**
 * One way, one pass over the file, in a process of its own: `node runner.js WAY FILE`, started by rounds.js with an IPC
 * channel. Only that way's code is loaded, so that memory and collections are its own.
 */
import { explain } from './errors.js';
import { Meter } from './meter.js';
import { aggregate } from './pipeline.js';

const SAMPLE_EVERY = 4 * 1024 * 1024;
const REPORT_EVERY = 32 * 1024 * 1024;

const [way, file] = process.argv.slice(2);

/** @param {object} message */
const tell = (message) => new Promise((resolve) => process.send?.(message, resolve));

try {
  /** @type {{ open: () => import('./allocator.js').Allocator }} */
  const { open } = await import(`./ways/${way}.js`);
  const allocator = open();
  const meter = new Meter();
  let sampled = 0;
  let reported = 0;
  const result = await aggregate(file, allocator, (bytes) => {
    if (bytes - sampled >= SAMPLE_EVERY) {
      sampled = bytes;
      meter.sample();
    }
    if (bytes - reported >= REPORT_EVERY) {
      reported = bytes;
      void tell({ bytes });
    }
  });
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
