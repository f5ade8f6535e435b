import { BufferPool } from 'slabpool';

/** @returns {import('../allocator.js').Allocator} */
export function open() {
  const pool = new BufferPool();
  return {
    acquire: (size) => pool.acquire(size),
    hitRate: () => pool.stats().hitRate,
    close: () => {
      pool.assertNoLeaks();
      pool.close();
    },
    backend: pool.backend,
  };
}
