/** @import { Allocator } from './allocator.js' */
/** @import { Result } from './tally.js' */
import { open } from 'node:fs/promises';
import { blocksOf } from './blocks.js';
import { Splitter } from './splitter.js';
import { Tally } from './tally.js';

/**
 * read blocks -> split into records -> rows in batches -> totals. Every buffer on the way is acquired when it is needed
 * and released as soon as it has been read: a 64 KiB block per read, a batch of some KiB per block, and two small
 * buffers for each record that crosses from one block into the next.
 *
 * @param {string} path
 * @param {Allocator} allocator
 * @param {(bytes: number) => void} onBytes called after each block with the bytes done so far
 * @returns {Promise<Result>}
 */
export async function aggregate(path, allocator, onBytes) {
  const tally = new Tally(allocator);
  const splitter = new Splitter(allocator, (bytes, start, end) => tally.take(bytes, start, end));
  const file = await open(path);
  try {
    let done = 0;
    for await (const { holding, end } of blocksOf(file, (await file.stat()).size, allocator)) {
      splitter.push(holding.bytes, end);
      holding.release();
      tally.endBlock();
      done += end;
      onBytes(done);
    }
    splitter.end();
    tally.endBlock();
  } finally {
    await file.close();
  }
  return tally.result();
}
