/** @import { Allocator, Holding } from './allocator.js' */
/** @import { Block } from './blocks.js' */
/** @import { FileHandle } from 'node:fs/promises' */
import { BLOCK, fill } from './blocks.js';
import { MAX_RECORD, tooLong } from './splitter.js';

const NEWLINE = 10;

/** Bytes that a block may grow to. */
export const LARGEST_BLOCK = 2 * MAX_RECORD;

/**
 * The file, block by block, each of whole records: it is cut after its last newline, and what follows is carried over to the
 * start of the next block. So any thread can parse any block, and nothing else is copied. One read is always ahead.
 *
 * @param {FileHandle} file
 * @param {number} size bytes in the file
 * @param {Allocator} allocator
 * @returns {AsyncGenerator<Block, void, void>} whoever takes a block from the generator releases it
 */
export async function* recordBlocksOf(file, size, allocator) {
  let reading = new Reading(file, size, allocator.acquire(BLOCK), 0, 0);
  try {
    for (;;) {
      await reading.done;
      const { holding, used, offset } = reading;
      const end = offset === size ? used : holding.bytes.lastIndexOf(NEWLINE, used - 1) + 1;
      if (offset === size) break;
      if (end > 0) {
        reading = new Reading(file, size, following(allocator, holding, end, used), used - end, offset);
        yield { holding, length: end };
      } else {
        // Still inside one record: the block grows.
        if (used > MAX_RECORD) throw tooLong();
        reading = new Reading(file, size, following(allocator, holding, 0, used), used, offset);
        holding.release();
      }
    }
  } finally {
    await reading.done.catch(() => {});
  }
}
