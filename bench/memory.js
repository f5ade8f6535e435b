import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { residentBytes, watchResident } from './resident.js';

const SAMPLE_MS = 50;
const WAYS = { slabpool: 'slabpool', fair: 'fair JS pool', allocUnsafe: 'Buffer.allocUnsafe' };
const SHAPES = {
  decay: '128 MiB in 64 KiB buffers, all filled and released, twice; then nothing',
  jagged: '256 live buffers, 1 % of them up to 1 MiB, replaced at random; then nothing',
  fragmented: '64 MiB in 4 KiB buffers, all but one in 16 released; then nothing',
};

export const title = 'RSS over time, above that at the start; a process each, epochs of 1,000 ms';

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, series, facts }) {
  for (const [shape, label] of Object.entries(SHAPES)) {
    /** @type {Record<string, [x: number, y: number][]>} */
    const lines = {};
    for (const [way, name] of Object.entries(WAYS)) {
      progress(`${shape}: ${name}`);
      const points = await watch(shape, way, effort.smoke ? 0.1 : 1);
      lines[name] = points;
      const last = /** @type {[number, number]} */ (points.at(-1))[1];
      facts({
        [`${shape}, ${name}: peak, MiB`]: Math.max(...points.map(([, y]) => y)),
        [`${shape}, ${name}: at the end, MiB`]: last,
      });
    }
    series(label, { x: 's', y: 'MiB', lines });
  }
}

/** RSS of a process that does so. @param {string} shape @param {string} way @param {number} scale of its time */
async function watch(shape, way, scale) {
  const child = fork(fileURLToPath(new URL('workers/memory.js', import.meta.url)), [way, shape, `${scale}`]);
  await once(child, 'message');
  const pid = /** @type {number} */ (child.pid);
  const end = watchResident(pid, SAMPLE_MS, residentBytes(pid));
  child.send('begin');
  await once(child, 'message');
  const points = end();
  child.disconnect();
  await once(child, 'exit');
  return points;
}
