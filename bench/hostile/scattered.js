import { BufferPool } from 'slabpool';

const KiB = 1024;
const LARGE = 64 * KiB;
export const BUDGET = 8 * KiB * KiB;

/**
 * A budget full of small leases, of which every so many is kept: how many bytes of it can still be had in large ones.
 * @param {import('slabpool').Backend} backend @param {number} size bytes of a small lease @param {number} every
 */
export function usable(backend, size, every) {
  const pool = new BufferPool({ maxBytes: BUDGET, epochMs: 0, backend });
  const small = pool.acquireMany(size, BUDGET / size);
  for (const { bytes } of small) bytes[0] = 1;
  const kept = small.filter((_, i) => i % every === 0);
  pool.releaseMany(small.filter((_, i) => i % every !== 0));
  let bytes = 0;
  for (; bytes < BUDGET; bytes += LARGE) {
    try {
      kept.push(pool.acquire(LARGE));
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ERR_SLABPOOL_EXHAUSTED') break;
      throw error;
    }
  }
  pool.releaseMany(kept);
  pool.close();
  return bytes;
}
