// One of the threads that parse: started by threads.js.
import { parentPort, workerData } from 'node:worker_threads';
import { explain } from './errors.js';
import { Tally } from './tally.js';

/** @type {{ crossing: string, data: any }} */
const { crossing, data } = workerData;

try {
  /** @type {{ join: (data: unknown) => import('./crossings/crossing.js').Receiver }} */
  const { join } = await import(`./crossings/${crossing}.js`);
  const { allocator, receive } = join(data);
  const tally = new Tally(allocator);
  await receive((bytes, start, end) => {
    tally.take(bytes, start, end);
    tally.endBlock();
  });
  allocator.close();
  parentPort?.postMessage({ result: tally.result() });
} catch (error) {
  parentPort?.postMessage({ error: explain(error) });
}
