import { BufferPool, Channel } from 'slabpool';
import { LARGEST_BLOCK } from '../cutter.js';
import { allocatorOf } from '../ways/slabpool.js';
import { AHEAD } from './crossing.js';

/**
 * One pool for all threads, and a channel that hands its blocks over.
 *
 * @param {number} threads
 * @returns {import('./crossing.js').Sender}
 */
export function open(threads) {
  // Only pooled blocks can cross, so a block that had to grow for a long record has to be one.
  const pool = new BufferPool({ maxPooledSize: LARGEST_BLOCK });
  const channel = new Channel(pool, { capacity: threads * AHEAD });
  const data = { pool: pool.handle, channel: channel.handle };
  return {
    allocator: allocatorOf(pool),
    invite: () => ({ data }),
    send: ({ holding, start, end }) => channel.send(/** @type {import('slabpool').Lease} */ (holding), end, start),
    end: () => channel.close(),
  };
}

/**
 * @param {{ pool: import('slabpool').PoolHandle, channel: import('slabpool').ChannelHandle }} data
 * @returns {import('./crossing.js').Receiver}
 */
export function join(data) {
  const pool = BufferPool.attach(data.pool);
  const channel = Channel.attach(pool, data.channel);
  return {
    allocator: allocatorOf(pool),
    async receive(take) {
      for await (const lease of channel) {
        take(lease.bytes, lease.tag, lease.length);
        lease.release();
      }
    },
  };
}
