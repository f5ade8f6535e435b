import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { residentBytes } from './resident.js';

const MiB = 2 ** 20;
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

/** RSS of a process that does so, from outside, since its own event loop is busy. @param {string} shape @param {string} way @param {number} scale of its time */
async function watch(shape, way, scale) {
  const child = fork(fileURLToPath(new URL('workers/memory.js', import.meta.url)), [way, shape, `${scale}`]);
  await once(child, 'message');
  const start = residentOf(child.pid);
  const started = performance.now();
  /** @type {[x: number, y: number][]} */
  const points = [];
  const sample = () => {
    const resident = residentOf(child.pid);
    if (resident > 0) points.push([rounded((performance.now() - started) / 1000), rounded((resident - start) / MiB)]);
  };
  const timer = setInterval(sample, SAMPLE_MS);
  child.send('begin');
  await once(child, 'message');
  clearInterval(timer);
  sample();
  child.disconnect();
  await once(child, 'exit');
  return points;
}

const rounded = (/** @type {number} */ value) => Number(value.toFixed(2));

/** 0 of a process that is gone. @param {number | undefined} pid */
function residentOf(pid) {
  try {
    return residentBytes(/** @type {number} */ (pid));
  } catch {
    return 0;
  }
}
