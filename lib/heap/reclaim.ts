import { types } from 'node:util';
import type { Bytes } from '../base/runtime.js';
import { type Core, OTHER_MEMORY } from '../core/core.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { Block, OVERSIZE, TRACKED } from '../lease/magazine.js';
import type { Tracker } from '../tracking/tracker.js';
import type { MappedBlocks } from './mapped-blocks.js';
import type { Oversize } from './oversize.js';
import type { RetainedBlocks } from './retained-blocks.js';

/** What reclaiming asks of the heap. */
interface ReclaimingHeap {
  readonly name: string;
  readonly core: Core;
  readonly blocks: MappedBlocks;
  readonly oversize: Oversize;
  readonly retained: RetainedBlocks;
  readonly tracker: Tracker;
}

/**
 * The block of a lease whose ArrayBuffer was transferred, and whose memory has come back under another one.
 * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_FOREIGN_BUFFER`, `ERR_SLABPOOL_SHARED`
 */
export function reclaim(heap: ReclaimingHeap, leased: Block, memory: ArrayBuffer | ArrayBufferView): Block {
  const { name, core, blocks, oversize, retained, tracker } = heap;
  if (retained.has(leased)) {
    if (retained.count(leased) > 1) throw retained.sharedError(leased, 'reclaimed');
    return reclaim(heap, retained.blockOf(leased), memory);
  }
  const block = tracker.blockOf(leased);
  const { magazine, capacity, index } = block;
  const bytes = returnedBytes(memory, capacity, name);
  if (bytes.buffer === block.buffer) return leased; // it was never away, or is back
  if (block.bytes.length === capacity) throw foreignBuffer(capacity, capacity, name);
  let whole: Block | null;
  if (magazine.sizeClass === OVERSIZE) {
    whole = oversize.reclaim(block, bytes);
  } else {
    const answer = blocks.sure('reclaim', core.reclaim(magazine.sizeClass, index, bytes), magazine, index);
    whole = answer === OTHER_MEMORY ? null : new Block(bytes, index, magazine);
    if (whole !== null) blocks.set(index, bytes);
  }
  if (whole === null) throw foreignBuffer(capacity, capacity, name);
  return leased.magazine.sizeClass === TRACKED ? tracker.replace(leased, whole) : whole;
}

/** All the bytes of what a BYOB read, or `transfer()`, returned for a lease of so many. */
function returnedBytes(memory: ArrayBuffer | ArrayBufferView, capacity: number, pool: string): Bytes {
  const buffer: unknown = ArrayBuffer.isView(memory) ? memory.buffer : memory;
  if (!types.isArrayBuffer(buffer)) {
    throw invalidArg('reclaim(memory)', 'an ArrayBuffer, or a view of one, that a read returned', memory, pool);
  }
  // A resizable one has not been a lease's; a detached one has a length of 0.
  if (buffer.byteLength !== capacity || (buffer as { resizable?: boolean }).resizable) {
    throw foreignBuffer(buffer.byteLength, capacity, pool);
  }
  return Buffer.from(buffer);
}

function foreignBuffer(givenBytes: number, capacityBytes: number, pool: string): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_FOREIGN_BUFFER',
    `expected what the read returned that lease.bytes was given to: an ArrayBuffer of ${capacityBytes} bytes over the lease's own memory; ` +
      `got one of ${givenBytes} bytes that is not. Pass the value of that read, or release the lease, whose memory is then lost to the pool`,
    { pool, details: { givenBytes, capacityBytes } },
  );
}
