/** @import { Allocator, Holding } from './allocator.js' */
import { DemoError } from './errors.js';

export const BLOCK = 64 * 1024;

/** Reads in flight while one block is parsed: enough to keep the I/O threads busy, few enough to stay in cache. */
const AHEAD = 4;

/**
 * @typedef {object} Block
 * @property {Holding} holding whoever takes the block from the generator releases it
 * @property {number} start where what was read into it begins
 * @property {number} end
 */

/**
 * The file, block by block and in order, with a few reads always ahead.
 *
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} size bytes in the file
 * @param {Allocator} allocator
 * @param {number} [start] where reads begin in each block
 * @param {number} [spare] bytes at the end of each block that are not read into
 * @returns {AsyncGenerator<Block, void, void>}
 */
export async function* blocksOf(file, size, allocator, start = 0, spare = 0) {
  const most = BLOCK - start - spare;
  /** @type {{ holding: Holding, done: Promise<number> }[]} */
  const inFlight = [];
  let offset = 0;
  try {
    while (offset < size || inFlight.length > 0) {
      while (offset < size && inFlight.length < AHEAD) {
        const length = Math.min(most, size - offset);
        const holding = allocator.acquire(BLOCK);
        inFlight.push({ holding, done: fill(file, holding.bytes.subarray(start, start + length), offset) });
        offset += length;
      }
      const length = await inFlight[0].done;
      const { holding } = /** @type {{ holding: Holding }} */ (inFlight.shift());
      yield { holding, start, end: start + length };
    }
  } finally {
    // An I/O thread may still be writing into these: they are released only when it has finished.
    await Promise.allSettled(inFlight.map(({ done }) => done));
    for (const { holding } of inFlight) holding.release();
  }
}

/**
 * @param {import('node:fs/promises').FileHandle} file
 * @param {Buffer} bytes
 * @param {number} offset
 */
async function fill(file, bytes, offset) {
  let filled = 0;
  while (filled < bytes.length) {
    const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, offset + filled);
    if (bytesRead === 0) throw new DemoError('the file became shorter while it was read: run again when it is at rest');
    filled += bytesRead;
  }
  return filled;
}
