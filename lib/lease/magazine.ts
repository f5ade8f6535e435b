import type { Bytes } from '../base/runtime.js';
import type { EndedLease } from './ended-lease.js';

/** Size classes of magazines that are no tier's but one lease's own: of an oversize buffer, of a tracked one, of those that share a block. */
export const OVERSIZE = -1;
export const TRACKED = -2;
export const RETAINED = -3;

/** A Block is a block in hand, off the hot path: on its way between a magazine, a lease and the core. */
export class Block {
  readonly bytes: Bytes;
  /** The block's number in the core; what its magazine makes of it, where that is no tier's. */
  readonly index: number;
  /** Where it is released to. */
  readonly magazine: Magazine;

  constructor(bytes: Bytes, index: number, magazine: Magazine) {
    this.bytes = bytes;
    this.index = index;
    this.magazine = magazine;
  }

  get buffer(): ArrayBuffer {
    return this.bytes.buffer;
  }

  /** Bytes; `bytes.length` says 0 once the ArrayBuffer is detached. */
  get capacity(): number {
    return this.magazine.capacity;
  }
}

/** What leases and magazines ask of the heap that they belong to, off the hot path. */
export interface MagazineOwner {
  /** Name of the pool. */
  readonly name: string;
  /** What {@link Magazine.put} does not do by itself. What the lease of the block has to remember, or null. */
  putSlow(block: Block): EndedLease | null;
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
 * What       Two batches long, or longer while the thread acquires and releases more than that in turns ({@link grow}).
 *            In a thread that only releases, one batch, and a full one flushes all.
 * Callers    One thread: `BufferPool.acquire()` pops, {@link put} pushes; the heap's parts refill and flush.
 * Ownership  The first `count` elements of `buffers` and `indices` are free blocks. Those above may still refer to blocks
 *            that have left the magazine.
 * Identity   `held` (blocks of the class that the core counts as held by this thread) == `count` + blocks that are
 *            leased. `floor` <= `count`, and the first `floor` elements were there throughout the epoch.
 */
export class Magazine {
  // What each acquire and release reads comes first, within two cache lines, and what is a small integer begins as one: so V8 keeps it.
  /** Bytes of a block. */
  readonly capacity: number = 0;
  /** Free blocks. */
  count = 0;
  /** An acquire that finds no more than this takes the slow path, which lowers it: it is the low-water mark, by whole batches. */
  floor = 0;
  /** How far {@link put} fills the stack by itself: its size, or 0 where each release needs the slow path. */
  limit = 0;
  /** Acquires up to the one that the tracker looks at next. Counting these down is all that statistics cost each acquire. */
  untilSample = 0;
  /**
   * Two stacks of `count` elements, the last of which were released last and are the warmest: the blocks' bytes, and their numbers. Each
   * array is as long as the magazine is large, since V8 makes slower code of a store that has once been seen to grow one.
   */
  readonly buffers: Bytes[] = [];
  readonly indices: number[] = [];
  /** The next larger tier. */
  next: Magazine | null = null;
  readonly owner: MagazineOwner;
  /** Index of the class in the core. */
  readonly sizeClass: number = 0;
  held = 0;
  /** Blocks in a full batch. */
  readonly batch: number = 0;
  /** Blocks that there is room for. */
  size = 0;
  /** Whether it was full in this epoch, and some of it flushed, of which the next refill can tell that it was too soon. */
  overflowed = false;
  readonly #byItself: boolean;
  #bypassed = false;
  /** Acquires that were published to the core. */
  reported = -0;
  /** Acquires from the sample before to the next one. */
  interval = 1;
  /**
   * Acquires up to the next sample. Minus zero is a double: counting on from 2^31 changes no representation then, so
   * deoptimizes nothing.
   */
  #acquiresAtSample = -0;
  #acquiresBefore = -0;
  #acquiresAtTurn = -0;
  #acquiresAtLook = -0;

  constructor(owner: MagazineOwner, sizeClass: number, capacity: number, batch: number, byItself: boolean) {
    this.owner = owner;
    this.sizeClass = sizeClass;
    this.capacity = capacity;
    this.batch = batch;
    this.#byItself = byItself;
    this.#resize(2 * batch);
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

  /** Bytes of what there is room for beyond two batches. */
  get extraBytes(): number {
    return Math.max(0, this.size - 2 * this.batch) * this.capacity;
  }

  /** This thread acquires: room for two batches, and one more each time it is to be enlarged. */
  grow(enlarge: boolean): void {
    this.#resize(Math.max(2 * this.batch, enlarge ? this.size + this.batch : this.size));
  }

  /** When it is full: whether nothing was acquired since it was full before, nor in this epoch. Then it has room for one batch from now on. */
  shrinks(): boolean {
    const { acquires } = this;
    const unused = acquires === this.#acquiresBefore && acquires === this.#acquiresAtTurn;
    this.#acquiresBefore = acquires;
    if (unused) this.#resize(this.batch);
    else this.overflowed = true;
    return unused;
  }

  /** At each look: whether nothing was acquired since the last one. */
  idle(): boolean {
    const idle = this.acquires === this.#acquiresAtLook;
    this.#acquiresAtLook = this.acquires;
    return idle;
  }

  /** Another epoch begins, in which it has room for so many blocks fewer, but for two batches. */
  turn(fewer: number): void {
    if (this.size > 2 * this.batch) this.#resize(Math.max(2 * this.batch, this.size - fewer));
    this.overflowed = false;
    this.floor = this.count;
    this.#acquiresAtTurn = this.acquires;
  }

  /** Where an acquire finds no more than the low-water mark: whether that can be lowered, so that there is a block. */
  lower(): boolean {
    this.floor = Math.max(0, this.count - this.batch);
    return this.count > 0;
  }

  /** While it is bypassed, each release takes the slow path. */
  bypass(bypassed: boolean): void {
    this.#bypassed = bypassed;
    this.#resize(this.size);
  }

  #resize(size: number): void {
    this.size = size;
    this.limit = this.#byItself && !this.#bypassed ? size : 0;
    while (this.indices.length < size) {
      this.buffers.push(null as never);
      this.indices.push(-1);
    }
  }

  /** What the lease of the block has to remember, or null. */
  put(bytes: Bytes, index: number): EndedLease | null {
    // A detached ArrayBuffer shows as a length of 0.
    if (this.count < this.limit && bytes.length === this.capacity) {
      const top = this.count++;
      this.buffers[top] = bytes;
      this.indices[top] = index;
      return null;
    }
    return this.owner.putSlow(new Block(bytes, index, this));
  }

  /** Off the hot path: puts a block on top. */
  push({ bytes, index }: Block): void {
    this.buffers[this.count] = bytes;
    this.indices[this.count++] = index;
  }

  /** Off the hot path: takes the block on top, of which there is one. */
  pop(): Block {
    const top = --this.count;
    this.floor = Math.min(this.floor, top);
    return new Block(this.buffers[top] as Bytes, this.indices[top] as number, this);
  }

  /** The first `count` blocks have left it. */
  shift(count: number): void {
    const { buffers, indices } = this;
    this.count -= count;
    this.floor = Math.max(0, this.floor - count);
    for (let i = 0; i < this.count; i++) {
      buffers[i] = buffers[i + count] as Bytes;
      indices[i] = indices[i + count] as number;
    }
  }

  /** Keeps nothing of blocks that have left it. */
  forgetOthers(): void {
    this.buffers.fill(null as never, this.count);
  }
}
