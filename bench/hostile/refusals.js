import { BufferPool } from 'slabpool';
import { measure } from '../measure.js';

const SIZE = 4096;
const OUT = [1024, 65_536];

/** The same refused acquire, on both cores, with so many blocks out. @param {import('../run.js').Context} context */
export async function refusals({ effort, progress }) {
  const cases = /** @type {const} */ (['native', 'js']).flatMap((backend) =>
    OUT.map((blocks) => {
      const pool = new BufferPool({ maxBytes: blocks * SIZE, tiers: [SIZE], leakDetection: 'off', backend });
      const held = pool.acquireMany(SIZE, blocks);
      return {
        name: `${backend}, ${blocks.toLocaleString('en')} blocks out`,
        run: (/** @type {number} */ operations) => {
          for (let i = 0; i < operations; i++) refused(pool);
        },
        close() {
          pool.releaseMany(held);
          pool.close();
        },
      };
    }),
  );
  return measure(cases, effort, progress);
}

/** @param {BufferPool} pool */
function refused(pool) {
  try {
    pool.acquire(SIZE);
  } catch {
    return;
  }
  throw new Error('there was room');
}
