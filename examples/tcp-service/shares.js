import { BufferPool } from 'slabpool';
import { Failure } from './errors.js';
import { BLOCK } from './protocol.js';

/**
 * Who may hold how many of the pool's blocks. Without this the service could stand still for ever under load: requests take
 * the whole budget, workers wait for blocks to reply in, and no request is done with before it is replied to.
 *
 * Identity: `filling` + workers * (`queue` + 1) + replies == `blocks`, with at least one reply for each worker.
 *
 * @typedef {object} Shares
 * @property {number} blocks in the budget
 * @property {number} filling for connections to copy into
 * @property {number} queue capacity of the channel to each worker, which has one more block in its hands
 */

/**
 * A pool of one tier, so that the budget is a number of blocks.
 *
 * @param {number} maxBytes
 */
export function openPool(maxBytes) {
  return new BufferPool({ name: 'tcp-service', maxBytes, tiers: [BLOCK], maxOversizeBytes: 0 });
}

/**
 * @param {number} maxBytes
 * @param {number} workers
 * @returns {Shares}
 */
export function sharesOf(maxBytes, workers) {
  const shares = divide(Math.floor(maxBytes / BLOCK), workers);
  if (shares) return shares;
  let enough = 1;
  while (!divide(enough, workers) || enough * BLOCK < maxBytes) enough++;
  throw new Failure(
    `the budget is too small for ${workers} workers: expected at least ${enough * BLOCK} bytes, got ${maxBytes}`,
  );
}

/**
 * @param {number} blocks
 * @param {number} workers
 * @returns {Shares | undefined} undefined where there are too few
 */
function divide(blocks, workers) {
  // A channel's capacity is a power of two.
  const queue = Math.min(256, Math.max(2, 2 ** Math.floor(Math.log2(blocks / 4 / workers))));
  const filling = Math.min(Math.max(1, Math.floor(blocks / 4)), blocks - workers * (queue + 2));
  return filling >= 1 ? { blocks, filling, queue } : undefined;
}
