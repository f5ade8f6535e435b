/** @import { Allocator } from '../allocator.js' */
/** @import { Block } from '../blocks.js' */

/**
 * How blocks cross from the thread that reads to the threads that parse. Each file of this folder has both halves:
 * `open(threads)` for the reader, `join(data)` for each parser.
 *
 * @typedef {object} Sender
 * @property {Allocator} allocator
 * @property {() => { data: unknown, transferList?: import('node:worker_threads').Transferable[] }} invite
 *   once for each thread: what it joins with
 * @property {(block: Block) => Promise<void>} send takes the block over; waits while the threads have enough to do
 * @property {() => void} end nothing more will be sent
 */

/**
 * @typedef {object} Receiver
 * @property {Allocator} allocator
 * @property {(take: (bytes: Buffer, start: number, end: number) => void) => Promise<void>} receive until the sender has
 *   ended; the bytes are the taker's only until it returns
 */

/** Blocks that may be on their way to each thread. */
export const AHEAD = 4;
