/** @import { Allocator, Holding } from './allocator.js' */
import { DemoError } from './errors.js';

const BLOCK = 64 * 1024;

/** Reads in flight while one block is parsed: enough to keep the I/O threads busy, few enough to stay in cache. */
const AHEAD = 4;

/**
 * @typedef {object} Block
 * @property {Holding} holding whoever takes the block from the generator releases it
 * @property {number} length bytes read into it
 */

/**
 * The file, block by block and in order, with a few reads always ahead.
 *
 * @param {import('node:fs/promises').FileHandle} file
 * @param {number} size bytes in the file
 * @param {Allocator} allocator
 * @returns {AsyncGenerator<Block, void, void>}
 */
export async function* blocksOf(file, size, allocator) {
  /** @type {{ holding: Holding, done: Promise<number> }[]} */
  const inFlight = [];
  let offset = 0;
  try {
    while (offset < size || inFlight.length > 0) {
      while (offset < size && inFlight.length < AHEAD) {
        const length = Math.min(BLOCK, size - offset);
        const holding = allocator.acquire(BLOCK);
        inFlight.push({ holding, done: fill(file, holding.bytes, length, offset) });
        offset += length;
      }
      const length = await inFlight[0].done;
      const { holding } = /** @type {{ holding: Holding }} */ (inFlight.shift());
      yield { holding, length };
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
 * @param {number} length
 * @param {number} offset
 */
async function fill(file, bytes, length, offset) {
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new DemoError('the file became shorter while it was read: run again when it is at rest');
    filled += bytesRead;
  }
  return filled;
}
