import type { Bytes } from '../base/runtime.js';
import type { EndedLease } from './ended-lease.js';

/** Size classes of magazines that are no tier's: of oversize buffers, tracking proxies, proxies of retained blocks. */
export const OVERSIZE = -1;
export const TRACKED = -2;
export const RETAINED = -3;

/** A Block is one block as this thread sees it: made at the block's first use here, kept until the block goes cold. */
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

/** What leases and magazines ask of the heap that they belong to, off the hot path. */
export interface MagazineOwner {
  /** Name of the pool. */
  readonly name: string;
  /** What {@link Magazine.put} does not do by itself. What the lease of the block has to remember, or null. */
  putSlow(magazine: Magazine, block: Block): EndedLease | null;
  /** One more lease is over the block: what both are over from now on. */
  retain(block: Block): Block;
  /** Adds to the record of the block's lease, if that is tracked. */
  touch(block: Block, hint: string): void;
  /** The block of a lease whose ArrayBuffer was transferred, and whose memory has come back under another one. */
  reclaim(block: Block, memory: ArrayBuffer | ArrayBufferView): Block;
  readonly transfers: {
    /** The block leaves this thread, with `size` of its bytes used: a ticket. */
    transfer(block: Block, size: number): number;
    /** The block has left this thread: what its lease has to remember, or null. */
    left(block: Block): EndedLease | null;
  };
}

/**
 * A magazine is this thread's freelist of one class (J. Bonwick, "Magazines and Vmem", USENIX 2001): the only thing
 * that acquire and release touch as long as it is neither empty nor full.
 *
 * What       Two batches long: a full one flushes its cold half. In a thread that only releases, one batch, and a full
 *            one flushes all.
 * Callers    One thread: `BufferPool.acquire()` pops, {@link put} pushes; the heap's parts refill and flush.
 * Ownership  The first `count` elements are free blocks. Those above may still refer to blocks that have left the
 *            magazine.
 * Identity   `held` (blocks of the class that the core counts as held by this thread) == `count` + blocks that are
 *            leased.
 */
export class Magazine {
  readonly capacity: number;
  /** Index of the class in the core. */
  readonly sizeClass: number;
  readonly owner: MagazineOwner;
  /** The next larger tier. */
  next: Magazine | null = null;
  /** A stack: the first `count` elements; the last one was released last and is the warmest. */
  readonly blocks: Block[] = [];
  count = 0;
  held = 0;
  /** Blocks in a full batch. */
  readonly batch: number;
  /** Blocks that there is room for: two batches, or one while this thread only releases. */
  size: number;
  /** How far {@link put} fills the stack by itself: its size, or 0 where each release needs the slow path. */
  limit: number;
  readonly #byItself: boolean;
  #bypassed = false;
  /** Acquires that were published to the core. */
  reported = -0;
  /** Acquires up to the one that the tracker looks at next. Counting these down is all that statistics cost each acquire. */
  untilSample = 0;
  /** Acquires from the sample before to the next one. */
  interval = 1;
  /**
   * Acquires up to the next sample. Minus zero is a double: counting on from 2^31 changes no representation then, so
   * deoptimizes nothing.
   */
  #acquiresAtSample = -0;
  #acquiresBefore = -0;
  #acquiresAtTick = -0;

  constructor(owner: MagazineOwner, sizeClass: number, capacity: number, batch: number, byItself: boolean) {
    this.owner = owner;
    this.sizeClass = sizeClass;
    this.capacity = capacity;
    this.batch = batch;
    this.size = 2 * batch;
    this.limit = byItself ? this.size : 0;
    this.#byItself = byItself;
    this.sampleAfter(1);
  }

  /** Leases taken. */
  get acquires(): number {
    return this.#acquiresAtSample - this.untilSample;
  }

  /** The next sample is the acquire that comes so many after the last one. */
  sampleAfter(interval: number): void {
    this.interval = interval;
    this.#acquiresAtSample += interval - this.untilSample;
    this.untilSample = interval;
  }

  /** The next sample is the acquire that comes so many after the last one, if it would come later. */
  hasten(after: number): void {
    const less = this.untilSample - after;
    if (less <= 0) return;
    this.interval -= less;
    this.#acquiresAtSample -= less;
    this.untilSample = after;
  }

  /** The last acquire was refused. */
  uncount(): void {
    this.#acquiresAtSample--;
  }

  /** This thread acquires: room for two batches. */
  grow(): void {
    this.#resize(2 * this.batch);
  }

  /** When it is full: whether nothing was acquired since it was full before. Then it has room for one batch from now on. */
  shrinks(): boolean {
    const unused = this.acquires === this.#acquiresBefore;
    this.#acquiresBefore = this.acquires;
    if (unused) this.#resize(this.batch);
    return unused;
  }

  /** Once an epoch: whether nothing was acquired since the last time. */
  quiet(): boolean {
    const quiet = this.acquires === this.#acquiresAtTick;
    this.#acquiresAtTick = this.acquires;
    return quiet;
  }

  /** While it is bypassed, each release takes the slow path. */
  bypass(bypassed: boolean): void {
    this.#bypassed = bypassed;
    this.#resize(this.size);
  }

  #resize(size: number): void {
    this.size = size;
    this.limit = this.#byItself && !this.#bypassed ? size : 0;
  }

  /** What the lease of the block has to remember, or null. */
  put(block: Block): EndedLease | null {
    // A detached ArrayBuffer shows as a length of 0.
    if (this.count < this.limit && block.bytes.length === this.capacity) {
      this.blocks[this.count++] = block;
      return null;
    }
    return this.owner.putSlow(this, block);
  }
}
