import { type Core, DRAINING, SLAB, STEP } from '../core/core.js';
import type { Outbox } from '../events.js';
import { Block, type Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Refills } from './refills.js';
import { tooMany } from './refusal.js';
import type { Ticker } from './ticker.js';

const SMALLEST_PAGE = 4096;

/** What prewarming asks of the heap. */
interface WarmableHeap {
  readonly core: Core;
  readonly options: ResolvedOptions;
  readonly outbox: Outbox;
  readonly blocks: MappedBlocks;
  readonly tracker: Tracker;
  assertGiving(): void;
  putBack(block: Block): void;
  readonly refills: Refills;
  readonly ticker: Ticker;
}

/**
 * Makes `count` blocks of the magazine's tier free, with memory, ArrayBuffers and page tables; in no statistics.
 * @throws `ERR_SLABPOOL_EXHAUSTED`, `ERR_SLABPOOL_OUT_OF_MEMORY`, `ERR_SLABPOOL_CLOSED`: then nothing has changed
 */
export function prewarm(heap: WarmableHeap, magazine: Magazine, count: number): void {
  heap.assertGiving();
  heap.tracker.drain();
  // Blocks of the magazine first.
  if (count > magazine.count) warm(heap, magazine, count);
  heap.ticker.start();
  const taken: Block[] = [];
  try {
    while (taken.length < count && takeFree(heap, magazine, taken, count - taken.length)) {}
    for (const { bytes } of taken) {
      // In one step, since a page that is read first costs two faults; as it was, since poison is looked for. (V8 makes most
      // atomic operations of a read and a write, but not this one.)
      for (let at = 0; at < bytes.length; at += SMALLEST_PAGE) Atomics.compareExchange(bytes, at, 0, 0);
    }
  } finally {
    for (const block of taken) heap.putBack(block);
    heap.outbox.publish();
  }
}

function warm(heap: WarmableHeap, magazine: Magazine, count: number): void {
  const { core, options } = heap;
  const missing = count - magazine.count;
  const possible = core.warm(magazine.sizeClass, missing);
  if (possible >= missing) {
    if (core.exchange[STEP] === SLAB) heap.refills.noteSlab(magazine);
    return;
  }
  if (possible >= 0) {
    throw tooMany(core, options.name, options.maxBytes, magazine.capacity, count, possible + magazine.count);
  }
  throw possible === DRAINING ? heap.refills.refusal(magazine, possible) : heap.refills.whyNot(magazine, possible);
}

/** Takes some free blocks into the hands of the caller; false when there are none. */
function takeFree({ core, blocks }: WarmableHeap, magazine: Magazine, into: Block[], most: number): boolean {
  if (magazine.count > 0) return into.push(magazine.pop()) > 0;
  const count = core.takeFree(magazine.sizeClass, Math.min(most, magazine.batch));
  if (count <= 0) return false; // others have taken some
  const numbers = core.exchange.slice(0, count);
  magazine.held += count;
  let at = 0;
  try {
    for (; at < count; at++) {
      const index = numbers[at] as number;
      into.push(new Block(blocks.at(index, magazine), index, magazine));
    }
  } finally {
    for (; at < count; at++) blocks.giveBack(magazine, numbers[at] as number);
  }
  return true;
}
