import type { Bytes } from '../base/bytes.js';
import type { Magazine } from './magazine.js';

/** One block as this thread sees it: made at its first use here, kept until the block goes cold. */
export class Block {
  readonly bytes: Bytes;
  readonly buffer: ArrayBuffer;
  /** Bytes; `bytes.length` says 0 once the ArrayBuffer is detached. */
  readonly capacity: number;
  /** The block's number in the core; -1 for an oversize one. */
  readonly index: number;
  /** Where it is released to. */
  readonly magazine: Magazine;

  constructor(bytes: Bytes, index: number, magazine: Magazine) {
    this.bytes = bytes;
    this.buffer = bytes.buffer;
    this.capacity = bytes.length;
    this.index = index;
    this.magazine = magazine;
  }
}

const CHUNK_BITS = 9;
const CHUNK = 2 ** CHUNK_BITS;

/** This thread's blocks by their number. In chunks: with threads sharing a pool each one has scattered numbers only. */
export class BlockTable {
  readonly #chunks: (Array<Block | undefined> | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(index: number): Block | undefined {
    return this.#chunks[index >>> CHUNK_BITS]?.[index & (CHUNK - 1)];
  }

  set(block: Block): void {
    const at = block.index >>> CHUNK_BITS;
    while (this.#chunks.length <= at) this.#chunks.push(undefined);
    this.#chunks[at] ??= new Array(CHUNK).fill(undefined);
    this.#chunks[at][block.index & (CHUNK - 1)] = block;
    this.#size++;
  }

  /** The numbers of the blocks in the `at`th part of the table, of {@link parts}. */
  part(at: number): number[] {
    const numbers: number[] = [];
    for (const block of this.#chunks[at] ?? []) if (block !== undefined) numbers.push(block.index);
    return numbers;
  }

  get parts(): number {
    return this.#chunks.length;
  }

  /** Drops the blocks that do not pass. */
  retain(passes: (block: Block) => boolean): void {
    for (const [at, chunk] of this.#chunks.entries()) {
      if (chunk === undefined) continue;
      let kept = 0;
      for (let i = 0; i < CHUNK; i++) {
        const block = chunk[i];
        if (block === undefined) continue;
        if (passes(block)) {
          kept++;
        } else {
          chunk[i] = undefined;
          this.#size--;
        }
      }
      if (kept === 0) this.#chunks[at] = undefined;
    }
  }

  delete(index: number): void {
    const chunk = this.#chunks[index >>> CHUNK_BITS];
    if (chunk?.[index & (CHUNK - 1)] === undefined) return;
    chunk[index & (CHUNK - 1)] = undefined;
    this.#size--;
  }
}
