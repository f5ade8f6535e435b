// One way of memory.js, in a process of its own: memory.js WAY SHAPE SCALE
import { setTimeout } from 'node:timers/promises';
import { BufferPool } from 'slabpool';
import { FairPool } from '../baseline/fair.js';
import { random } from '../sizes.js';

const [way = '', shape = '', scale] = process.argv.slice(2);
const EPOCH_MS = 1000 * Number(scale);
const KiB = 2 ** 10;
const MiB = 2 ** 20;
/** What is unused for two epochs is gone then, wherever in its epoch it was used last. */
const idle = () => setTimeout(4 * EPOCH_MS);

/** @typedef {{ bytes: Uint8Array, release(): unknown }} Held */

/** @type {Record<string, () => { acquire(size: number): Held }>} */
const ways = {
  slabpool: () => new BufferPool({ epochMs: EPOCH_MS }),
  fair: () => new FairPool(),
  allocUnsafe: () => ({ acquire: (size) => ({ bytes: Buffer.allocUnsafe(size), release() {} }) }),
};
const pool = /** @type {() => { acquire(size: number): Held }} */ (ways[way])();

/** @param {number} size @returns {Held} */
function filled(size) {
  const lease = pool.acquire(size);
  lease.bytes.fill(1);
  return lease;
}

/** @type {Record<string, () => Promise<void>>} */
const shapes = {
  async decay() {
    for (let burst = 0; burst < 2; burst++) {
      const held = Array.from({ length: (128 * MiB) / (64 * KiB) }, () => filled(64 * KiB));
      await setTimeout(EPOCH_MS / 2);
      for (const lease of held) lease.release();
      held.length = 0;
      await idle();
    }
  },
  async jagged() {
    const next = random();
    const held = Array.from({ length: 256 }, () => filled(KiB));
    const until = performance.now() + 3 * EPOCH_MS;
    while (performance.now() < until) {
      for (let i = 0; i < 1000; i++) {
        const kind = next();
        const at = Math.floor(next() * held.length);
        held[at]?.release();
        held[at] = filled(1 + Math.floor(next() * (kind < 0.9 ? KiB : kind < 0.99 ? 64 * KiB : MiB)));
      }
      await setTimeout(1);
    }
    for (const lease of held) lease.release();
    held.length = 0;
    await idle();
  },
  async fragmented() {
    const held = Array.from({ length: (64 * MiB) / (4 * KiB) }, () => filled(4 * KiB));
    await setTimeout(EPOCH_MS / 2);
    const kept = held.filter((lease, i) => i % 16 === 0 || lease.release());
    held.length = 0;
    await idle();
    for (const lease of kept) lease.release();
    kept.length = 0;
    await idle();
  },
};

process.once('message', async () => {
  await /** @type {() => Promise<void>} */ (shapes[shape])();
  process.send?.('done');
});
// Until it has been looked at.
process.once('disconnect', () => pool.acquire(1).release());
process.send?.('ready');
