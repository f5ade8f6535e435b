import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { Thread } from './threads.js';

const THREADS = 4;
const MiB = 2 ** 20;
const MAX_BYTES = 64 * MiB;

export const title = `${THREADS} threads take mixed sizes from one pool of ${MAX_BYTES / MiB} MiB until it refuses, and release them`;

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, facts }) {
  const seconds = effort.smoke ? 1 : 30;
  const pool = new BufferPool({ maxBytes: MAX_BYTES, epochMs: 100 });
  const threads = Array.from({ length: THREADS }, (_, i) => new Thread('budget', { pool: pool.handle, seed: i + 1 }));
  const answers = Promise.all(threads.map((thread) => thread.ask(seconds * 1000)));
  let samples = 0;
  let most = 0;
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    most = Math.max(most, pool.stats().residentBytes);
    if (++samples % 1000 === 0) {
      progress(`${Math.ceil((until - performance.now()) / 1000)} s to go`);
      await setTimeout(1);
    }
  }
  const work = await answers;
  await Promise.all(threads.map((thread) => thread.end()));
  const { leasedBytes, inFlightBytes } = pool.stats();
  pool.close();
  facts({
    seconds,
    samples,
    'leases taken': work.reduce((sum, { taken }) => sum + taken, 0),
    refused: work.reduce((sum, { refused }) => sum + refused, 0),
    'most resident over maxBytes': most / MAX_BYTES,
    'leased or in flight at the end, bytes': leasedBytes + inFlightBytes,
  });
}
