/** @import { Allocator } from './allocator.js' */
/** @import { Block } from './blocks.js' */
/** @import { FileHandle } from 'node:fs/promises' */
import { blocksOf } from './blocks.js';
import { MAX_RECORD, tooLong } from './splitter.js';

const NEWLINE = 10;

/** Room before what is read, for the beginning of a record whose end is in the block. */
const HEADROOM = 4096;

/** Bytes that a block may grow to. */
export const LARGEST_BLOCK = 2 * MAX_RECORD;

/**
 * The file, block by block, each of whole records that end with a newline: any thread can parse any block. What follows a
 * block's last newline is copied in front of the next block; nothing else is copied.
 *
 * @param {FileHandle} file
 * @param {number} size bytes in the file
 * @param {Allocator} allocator
 * @returns {AsyncGenerator<Block, void, void>} whoever takes a block from the generator releases it
 */
export async function* recordBlocksOf(file, size, allocator) {
  /** @type {Block | undefined} read, but not yet known to be complete; owned here */
  let before;
  try {
    // One spare byte: the last record of a file may lack its newline.
    for await (const read of blocksOf(file, size, allocator, HEADROOM, 1)) {
      if (before === undefined) {
        before = read;
        continue;
      }
      const { holding, start, end } = before;
      const cut = Math.max(start, holding.bytes.lastIndexOf(NEWLINE, end - 1) + 1);
      before = behind(holding.bytes, cut, end, read, allocator);
      if (cut > start) yield { holding, start, end: cut };
      else holding.release();
    }
    if (before === undefined) return;
    const { holding, start, end } = before;
    before = undefined;
    if (holding.bytes[end - 1] === NEWLINE) {
      yield { holding, start, end };
    } else {
      holding.bytes[end] = NEWLINE;
      yield { holding, start, end: end + 1 };
    }
  } finally {
    before?.holding.release();
  }
}

/**
 * Copies the bytes from `from` to `to` in front of a block, or both into a larger one where there is no room.
 *
 * @param {Buffer} bytes
 * @param {number} from
 * @param {number} to
 * @param {Block} block
 * @param {Allocator} allocator
 * @returns {Block}
 */
function behind(bytes, from, to, { holding, start, end }, allocator) {
  const length = to - from;
  if (length <= start) {
    bytes.copy(holding.bytes, start - length, from, to);
    return { holding, start: start - length, end };
  }
  if (length > MAX_RECORD) {
    holding.release();
    throw tooLong();
  }
  const larger = allocator.acquire(length + (end - start) + 1);
  bytes.copy(larger.bytes, 0, from, to);
  holding.bytes.copy(larger.bytes, length, start, end);
  holding.release();
  return { holding: larger, start: 0, end: length + (end - start) };
}
