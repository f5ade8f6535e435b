/** Bytes of each block on its way between the server and its workers. */
export const BLOCK = 16 * 1024;

// What travels with a block: `meta2` is the number of the stream, `meta` how many of the block's bytes are used, or, below
// 0, a notice. The block of a notice is a mere envelope.

/** To a worker: the client has sent everything. From a worker: all is answered, and the stream forgotten. */
export const END = -1;

/** To a worker: the stream was broken off, so that what is left of it needs no answer. Answered by `END`. */
export const ABORT = -2;

/** From a worker: the line before this told the client what is wrong; the rest of the stream is ignored. */
export const FAILED = -3;

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
