import type { WaitOptions } from '../base/wait-options.js';
import type { ResourcePool } from './resource-pool.js';

/**
 * Closes all, at the same time, and waits for each.
 * @throws what is wrong with the first in whose end something is
 */
export async function closeAll<R>(pools: Iterable<ResourcePool<R>>, options?: WaitOptions): Promise<void> {
  const ends = await Promise.allSettled([...pools].map((pool) => pool.close(options)));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}
