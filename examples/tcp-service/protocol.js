/** Bytes of each block on its way between the server and its workers. */
export const BLOCK = 16 * 1024;

// What travels with a block: `tag` is the number of the stream, `length` how many of the block's bytes are used. A block of length 0
// is the envelope of a notice, which is its first byte.

/** To a worker: the client has sent everything. From a worker: all is answered, and the stream forgotten. */
export const END = 1;

/** To a worker: the stream was broken off, so that what is left of it needs no answer. Answered by `END`. */
export const ABORT = 2;

/** From a worker: the line before this told the client what is wrong; the rest of the stream is ignored. */
export const FAILED = 3;

/** @param {import('slabpool').Lease} lease @param {number} notice */
export function seal(lease, notice) {
  lease.bytes[0] = notice;
  return lease;
}

/** The notice that a block brings; 0 for one with bytes of the stream. @param {import('slabpool').ReceivedLease} lease */
export function noticeIn({ length, bytes }) {
  return length === 0 ? /** @type {number} */ (bytes[0]) : 0;
}

/**
 * What a worker starts with.
 *
 * @typedef {object} Joining
 * @property {import('slabpool').PoolHandle} pool
 * @property {import('slabpool').ChannelHandle} requests
 * @property {import('slabpool').ChannelHandle} replies
 * @property {number} maxRecord bytes
 */

/**
 * What a worker tells in the end.
 *
 * @typedef {object} Tally
 * @property {number} records answered
 * @property {number} refused streams that ended with an error line
 */
