import type { Block } from './block.js';
import { invalidArg, SlabPoolError } from './errors.js';
import type { Heap } from './heap.js';

/**
 * The right to use one buffer until it is released. Each acquire makes a fresh lease, so that a second release is noticed
 * for certain, also when the buffer has a new owner by then; the buffer itself is reused.
 *
 * An asynchronous operation (`socket.write`, `fs.write`, zlib) uses the buffer until its callback: release after that.
 */
export class Lease {
  /** Bytes that were asked for. */
  readonly size: number;
  #block: Block | null;

  /** @internal */
  constructor(block: Block, size: number) {
    this.#block = block;
    this.size = size;
  }

  /** A Buffer over all `capacity` bytes; the same object whenever this block is leased. */
  // The two getters are kept below 28 bytes of bytecode: V8 inlines such small functions always, but larger getters last,
  // when the caller's inlining budget may be used up.
  get bytes(): Buffer<ArrayBuffer> {
    return (this.#block ?? released()).bytes;
  }

  /** The ArrayBuffer, of exactly `capacity` bytes: no other block is reachable through it. */
  get buffer(): ArrayBuffer {
    return (this.#block ?? released()).buffer;
  }

  /** Bytes of the tier, at least `size`. */
  get capacity(): number {
    return this.bytes.length;
  }

  /** A Buffer of exactly `size` bytes. A fresh object each time: keep it off the hot path. */
  view(): Buffer<ArrayBuffer> {
    return this.bytes.subarray(0, this.size);
  }

  /**
   * Gives the buffer back.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, `ERR_SLABPOOL_CLOSED` when the pool was closed meanwhile.
   */
  release(): void {
    const block = this.#block ?? released();
    this.#block = null;
    block.magazine.put(block);
  }

  /**
   * Hands the buffer over: this lease is released, and whoever calls `pool.adopt(ticket)` first, in any thread, has the next
   * one, and sees every byte that was written before. The ticket is a number, so it travels in a message, a
   * SharedArrayBuffer, anywhere.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_OVERSIZE`, `ERR_SLABPOOL_DETACHED`, `ERR_SLABPOOL_CLOSED`
   */
  transfer(): number {
    const block = this.#block ?? released();
    const ticket = block.magazine.heap.transfer(block);
    this.#block = null;
    return ticket;
  }

  /** `using`: releases unless that has happened, or the pool is closed. */
  [Symbol.dispose](): void {
    const block = this.#block;
    if (block === null) return;
    this.#block = null;
    if (!block.magazine.heap.closed) block.magazine.put(block);
  }

  /**
   * Ends a lease of `heap`: its block, which the caller now has to put back.
   * @internal
   */
  static end(lease: Lease, heap: Heap): Block {
    const block = Lease.blockOf(lease, heap);
    lease.#block = null;
    return block;
  }

  /**
   * Ends a lease whose block {@link blockOf} gave and that is no longer this thread's.
   * @internal
   */
  static sent(lease: Lease): void {
    lease.#block = null;
  }

  /**
   * Undoes {@link end}.
   * @internal
   */
  static resume(lease: Lease, block: Block): void {
    lease.#block = block;
  }

  /**
   * The block of a lease of `heap` that is not released.
   * @internal
   */
  static blockOf(lease: Lease, heap: Heap): Block {
    if (typeof lease !== 'object' || lease === null || !(#block in lease)) {
      throw invalidArg('release(lease)', 'a lease that acquire() returned', lease, heap.name);
    }
    const block = lease.#block ?? released();
    if (block.magazine.heap !== heap) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_FOREIGN_LEASE',
        `the lease belongs to pool '${block.magazine.heap.name}'; release it there, or call lease.release()`,
        { pool: heap.name },
      );
    }
    return block;
  }
}

function released(): never {
  throw new SlabPoolError(
    'ERR_SLABPOOL_LEASE_RELEASED',
    'this lease was released before; its buffer may belong to somebody else by now. Release each lease once, and use ' +
      'nothing of it afterwards',
  );
}
