import type { Bytes } from '../base/runtime.js';
import { type Core, MAX_BATCH } from '../core/core.js';
import { internal } from '../errors.js';
import type { Block, Magazine } from '../lease/magazine.js';
import type { Poison } from '../tracking/poison.js';

const CHUNK_BITS = 9;
const CHUNK = 2 ** CHUNK_BITS;

/**
 * Mapped blocks are those of one pool that this thread has an ArrayBuffer over.
 *
 * What      A block is mapped when it first comes here, and kept until it goes cold. They are kept in chunks by their
 *           numbers, since each of the threads that share a pool has scattered numbers only. Blocks leave for the core
 *           through here.
 * Callers   The heap and its parts; all of it is off the hot path.
 * Identity  `magazine.held` of a tier == blocks that the core counts as held by this thread. What is given back or
 *           retired here is taken off it; what is flushed or handed over, by those who do that.
 */
export class MappedBlocks {
  readonly #core: Core;
  readonly #pool: string;
  readonly #poison: Poison | null;
  readonly #chunks: (Array<Bytes | undefined> | undefined)[] = [];
  /** How many blocks are mapped. */
  size = 0;
  /** The chunk from which {@link sweep} goes on. */
  #swept = 0;

  /** @param pool its name */
  constructor(core: Core, pool: string, poison: Poison | null) {
    this.#core = core;
    this.#pool = pool;
    this.#poison = poison;
  }

  /** The bytes of the block with this number, which this thread holds. */
  at(index: number, magazine: Magazine): Bytes {
    const known = this.#known(index);
    return known !== undefined && this.#core.stableAddresses ? known : this.#map(index, magazine, known);
  }

  /**
   * The bytes of a block that has come to this thread, which gives it back if it cannot be mapped. One whose ArrayBuffer was detached, through a
   * view that an earlier holder kept, gets another where the core has its memory all the same.
   */
  received(index: number, magazine: Magazine): Bytes {
    const known = this.#known(index);
    if (known !== undefined && this.#core.stableAddresses && known.length === magazine.capacity) return known;
    return this.#mapReceived(index, magazine, known);
  }

  #mapReceived(index: number, magazine: Magazine, known: Bytes | undefined): Bytes {
    try {
      return this.#map(index, magazine, known);
    } catch (error) {
      this.giveBack(magazine, index);
      throw error;
    }
  }

  #known(index: number): Bytes | undefined {
    return this.#chunks[index >>> CHUNK_BITS]?.[index & (CHUNK - 1)];
  }

  #map(index: number, magazine: Magazine, known: Bytes | undefined): Bytes {
    const bytes = this.#core.map(magazine.sizeClass, index);
    if (bytes !== known) this.set(index, bytes);
    return bytes;
  }

  /** From now on the block is over these bytes. */
  set(index: number, bytes: Bytes): void {
    this.#forget(index);
    const at = index >>> CHUNK_BITS;
    while (this.#chunks.length <= at) this.#chunks.push(undefined);
    this.#chunks[at] ??= new Array(CHUNK).fill(undefined);
    this.#chunks[at][index & (CHUNK - 1)] = bytes;
    this.size++;
  }

  #forget(index: number): void {
    const chunk = this.#chunks[index >>> CHUNK_BITS];
    if (chunk?.[index & (CHUNK - 1)] === undefined) return;
    chunk[index & (CHUNK - 1)] = undefined;
    this.size--;
  }

  /** Detaches the block's ArrayBuffer; the block gets a new one when it is used next. */
  unmap(index: number, bytes: Bytes): void {
    this.#forget(index);
    this.#core.detach(bytes.buffer, index);
  }

  /** Leaves the block's ArrayBuffer to whoever may go on using it; the block gets a new one when it is used next. */
  disown({ index }: Block): void {
    this.#forget(index);
    this.#core.disown(index);
  }

  /** Gives `count` blocks of the magazine to the core, its coldest; or those on top, where all others would have to move. */
  flush(magazine: Magazine, count: number): number {
    if (magazine.count > 2 * magazine.batch) return this.#flushTop(magazine, count);
    return this.flushCold(magazine, count);
  }

  /** Gives the `count` coldest blocks of the magazine to the core. The last answer of {@link Core.flush}. */
  flushCold(magazine: Magazine, count: number): number {
    let answer = 0;
    for (let from = 0; from < count; from += magazine.batch) {
      answer = this.#give(magazine, from, Math.min(magazine.batch, count - from));
    }
    if (count > 0) magazine.shift(count);
    return answer;
  }

  #flushTop(magazine: Magazine, count: number): number {
    magazine.count -= count;
    magazine.floor = Math.min(magazine.floor, magazine.count);
    return this.#give(magazine, magazine.count, count);
  }

  /** Gives `count` blocks of the magazine, from index `from` on, to the core, at most a batch. The answer of {@link Core.flush}. */
  #give(magazine: Magazine, from: number, count: number): number {
    const { indices } = magazine;
    const { exchange } = this.#core;
    for (let i = 0; i < count; i++) exchange[i] = indices[from + i] as number;
    const answer = this.#core.flush(magazine.sizeClass, count);
    if (this.#poison !== null) for (let i = 0; i < count; i++) this.#poison.flushed(indices[from + i] as number);
    magazine.held -= count;
    return this.sure('flush', answer, magazine, exchange[0] as number);
  }

  /** Flushes all blocks of the magazine. The last answer of {@link Core.flush}. */
  flushAll(magazine: Magazine): number {
    let answer = 0;
    while (magazine.count > 0) answer = this.#flushTop(magazine, Math.min(magazine.count, magazine.batch));
    return answer;
  }

  /** Flushes all blocks of the magazine, which keeps none of their buffers alive then. */
  empty(magazine: Magazine): void {
    this.flushAll(magazine);
    magazine.forgetOthers();
  }

  /** One block that is not in the magazine goes to the core. The answer of {@link Core.flush}. */
  giveBack(magazine: Magazine, index: number): number {
    this.#core.exchange[0] = index;
    const answer = this.#core.flush(magazine.sizeClass, 1);
    magazine.held--;
    this.#poison?.flushed(index);
    return this.sure('flush', answer, magazine, index);
  }

  /** Gives a block up whose holder detached its ArrayBuffer: whoever has the memory now may write to it for ever. */
  retire(magazine: Magazine, index: number): void {
    const answer = this.#core.retire(magazine.sizeClass, index);
    this.#forget(index);
    magazine.held--;
    this.sure('retire', answer, magazine, index);
  }

  /** The core's answer to what cannot fail while its books and this thread's agree. @throws `ERR_SLABPOOL_INTERNAL` */
  sure(call: string, answer: number, { sizeClass, held, count }: Magazine, block: number): number {
    if (answer < 0) throw internal(call, answer, { sizeClass, held, count, block }, this.#pool);
    return answer;
  }

  /** Whether {@link sweep} has stopped half-way. */
  get sweeping(): boolean {
    return this.#swept > 0;
  }

  /** Forgets blocks that have no memory any more, in so many chunks; the next call goes on from there. */
  sweep(chunks: number): void {
    const { exchange } = this.#core;
    const end = Math.min(this.#swept + chunks, this.#chunks.length);
    for (; this.#swept < end; this.#swept++) {
      const first = this.#swept << CHUNK_BITS;
      const numbers = (this.#chunks[this.#swept] ?? []).flatMap((bytes, i) => (bytes === undefined ? [] : [first + i]));
      for (let from = 0; from < numbers.length; from += MAX_BATCH) {
        const some = numbers.slice(from, from + MAX_BATCH);
        exchange.set(some);
        for (const number of exchange.slice(0, this.#core.areCold(some.length))) this.#forget(number);
      }
    }
    if (this.#swept >= this.#chunks.length) this.#swept = 0;
  }

  /** Sweeps all chunks, from the first one on. */
  sweepAll(): void {
    this.#swept = 0;
    this.sweep(Infinity);
  }

  /** Detaches the ArrayBuffers of all blocks but those that are to be kept. */
  unmapAllBut(isKept: (index: number, bytes: Bytes) => boolean): void {
    for (const [at, chunk] of this.#chunks.entries()) {
      for (const [i, bytes] of (chunk ?? []).entries()) {
        const index = (at << CHUNK_BITS) + i;
        if (bytes !== undefined && !isKept(index, bytes)) this.unmap(index, bytes);
      }
      if (chunk?.every((bytes) => bytes === undefined)) this.#chunks[at] = undefined;
    }
  }
}
