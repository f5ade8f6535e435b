import { FairPool } from '../../../bench/baseline/fair.js';

/** @returns {import('../allocator.js').Allocator} */
export function open() {
  const pool = new FairPool();
  return {
    acquire: (size) => pool.acquire(size),
    hitRate: () => pool.stats().hitRate,
    close: () => {},
  };
}
