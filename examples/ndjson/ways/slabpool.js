import { BufferPool } from 'slabpool';

/** @returns {import('../allocator.js').Allocator} */
export function open() {
  return allocatorOf(new BufferPool());
}

/**
 * @param {BufferPool} pool
 * @returns {import('../allocator.js').Allocator}
 */
export function allocatorOf(pool) {
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
