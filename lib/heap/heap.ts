import type { Bytes } from '../base/bytes.js';
import { now } from '../base/clock.js';
import type { Endpoint } from '../channel/waiters.js';
import {
  type Cause,
  CLASSES,
  COLD,
  type Core,
  DRAINING,
  EXHAUSTED,
  MAX_BATCH,
  OTHER_MEMORY,
  RECLAIMED,
  SIZES,
  SLAB,
  STALE,
  STEP,
  SUMMONED,
  SUMMONS_DRAIN,
  SUMMONS_FLUSH,
  SUMMONS_TRIM,
  WAITING,
} from '../core/core.js';
import { failure } from '../core/failures.js';
import { type CoreChannel, type MailSlot, NativeCore } from '../core/native.js';
import { BUCKETS, bucketOf, firstOfBucket } from '../core/size-classes.js';
import { internal, invalidArg, SlabPoolError } from '../errors.js';
import { type ExhaustedEvent, events, Outbox, type SlabCreateEvent, type TrimEvent } from '../events.js';
import type { ChannelHandle } from '../handle.js';
import { Block, BlockTable } from '../lease/block.js';
import { Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import { refusal, tooMany } from '../stats/refusal.js';
import { Poison } from '../tracking/poison.js';
import { isStandIn, Tracker } from '../tracking/tracker.js';
import type { Spent } from '../tracking/trail.js';
import { Waiting } from './budget-waiters.js';
import { Drain } from './drain.js';
import { WeakList } from './iterable-weak-set.js';
import { stir } from './keep-alive.js';
import { Adrift } from './leaked-blocks.js';
import { OVERSIZE, Oversize } from './oversize.js';
import { foreignBuffer, returnedBytes } from './reclaim.js';
import { Readers } from './retained-blocks.js';
import { Ticker } from './ticker.js';

const KIB = 1024;
const SMALLEST_PAGE = 4096;
/** Parts of the table (512 blocks each) that are looked through at once. */
const SWEEP = 1;

/**
 * This thread's share of a pool: a magazine per tier in front of the core, and the ArrayBuffers of the blocks that came by.
 * Everything here but the two lookups of {@link magazineFor} is off the hot path.
 */
export class Heap {
  readonly name: string;
  readonly magazines: readonly Magazine[];
  readonly outbox = new Outbox();
  readonly oversize: Oversize;
  readonly tracker: Tracker;
  /**
   * The acquire that {@link Magazine.untilSample} counts down to: the magazine whose topmost block is to be leased. It comes before
   * anything else is read, since V8 has to read all anew behind a call. Where options ask for something at each acquire, each
   * is one. A Proxy since V8 inlines calls of none: this would take the place of what has to be inlined.
   */
  readonly sampled = new Proxy(this.#sampled, {});
  /** With `debug` on. */
  readonly poison: Poison | null;
  readonly #core: Core;
  readonly #native: boolean;
  readonly #options: ResolvedOptions;
  /** Views that were kept of a lease end with it. */
  readonly #detaches: boolean;
  /** For each bucket of sizes the smallest tier that holds some of them. */
  readonly #byBucket: readonly Magazine[];
  readonly #table = new BlockTable();
  readonly #adrift = new Adrift((magazine, index) => this.#ashore(magazine, index));
  readonly ticker: Ticker;
  /** How far the table was looked through. */
  #swept = 0;
  /** Others wait for budget, so that what is released goes straight to the core. */
  #pressed = false;
  readonly waiting: Waiting;
  readonly drains: Drain;
  readonly readers = new Readers(this);
  closed = false;
  #draining = false;
  #ended = false;
  readonly since = now();
  /** Of channels, open in this thread. */
  readonly endpoints = new WeakList<Endpoint>();
  #shared = false;

  constructor(core: Core, options: ResolvedOptions) {
    this.name = options.name;
    this.#core = core;
    this.#native = core instanceof NativeCore;
    this.#options = options;
    this.#detaches = options.debug === 'detach';
    this.ticker = new Ticker(this, core, options);
    // These have to see each release.
    const byItself = options.zero !== 'release' && options.debug === 'off';
    this.tracker = new Tracker(this, options, byItself);
    this.poison = options.debug === 'off' ? null : new Poison(options, this.outbox);
    this.magazines = options.tiers.map((capacity, c) => new Magazine(this, c, capacity, core.batch(c), byItself));
    this.magazines.forEach((magazine, c) => {
      magazine.next = this.magazines[c + 1] ?? null;
    });
    this.oversize = new Oversize(this, options);
    this.waiting = new Waiting(this, core, options);
    this.drains = new Drain(this);
    core.listen(new WeakRef(this));
    this.#byBucket = Array.from(
      { length: Math.min(BUCKETS, bucketOf(options.maxPooledSize - 1) + 1) },
      (_, bucket) => this.magazines.find(({ capacity }) => capacity > firstOfBucket(bucket)) as Magazine,
    );
  }

  /** From now on other threads may join. */
  share(): void {
    if (this.#shared) return;
    this.#shared = true;
    this.poison?.share();
  }

  /** The magazine of the smallest tier with room for the byte at index `last`, which is below `maxPooledSize`. */
  magazineFor(last: number): Magazine {
    let magazine = this.#byBucket[bucketOf(last)] as Magazine;
    // At most one step for the default tiers; tiers of the caller's own may share a bucket.
    while (magazine.capacity <= last) magazine = magazine.next as Magazine;
    return magazine;
  }

  /** A block from the core, which is in the caller's hands; the rest of its batch is in the magazine, which was empty. */
  refill(magazine: Magazine): Block {
    let found: Block | number;
    try {
      found = this.#refill(magazine);
      if (typeof found === 'object') return found;
    } catch (error) {
      magazine.uncount();
      throw error;
    }
    magazine.uncount();
    throw this.#refusal(magazine, found);
  }

  /** Before an acquire: whether there is a block for it, on top of the magazine, or else the budget is exhausted. */
  stock(magazine: Magazine): boolean {
    for (;;) {
      if (magazine.count === 0) {
        const found = this.#refill(magazine);
        if (typeof found === 'number') {
          this.#announce(null);
          if (found === EXHAUSTED) return false;
          throw this.#refusal(magazine, found);
        }
        magazine.blocks[magazine.count++] = found;
      }
      const top = magazine.blocks[magazine.count - 1] as Block;
      if (top.bytes.length === magazine.capacity) return true;
      magazine.count--;
      this.#retire(magazine, top);
    }
  }

  /** A block, or why there is none. */
  #refill(magazine: Magazine): Block | number {
    this.assertGiving();
    // What that gives back may be of this magazine.
    this.tracker.drain();
    if (magazine.count > 0) return magazine.blocks[--magazine.count] as Block;
    const core = this.#core;
    const { sizeClass, blocks } = magazine;
    magazine.grow();
    this.ticker.start();
    const { exchange } = core;
    let count = core.refill(sizeClass);
    let given = exchange[RECLAIMED] as number;
    // What is in this thread's magazines is free as well, but out of the core's reach.
    if (count === EXHAUSTED && core.waiting === 0 && this.magazines.some(({ count }) => count > 0)) {
      this.#flushAll();
      count = core.refill(sizeClass);
      given += exchange[RECLAIMED] as number;
    }
    this.#noteTrim('exhausted', given * KIB);
    if (count <= 0) return count;

    const step = exchange[STEP] as number;
    magazine.reported++; // the core counts the one that is about to be leased
    try {
      // The core names the warmest block first: it becomes the top of the stack.
      for (let i = 0; i < count; i++) blocks[count - 1 - i] = this.#blockAt(exchange[i] as number, magazine);
    } catch (error) {
      core.flush(sizeClass, count);
      throw error;
    }
    magazine.held += count;
    magazine.count = count - 1;
    const block = blocks[count - 1] as Block;
    this.tracker.refilled(magazine, this.#shareOut(magazine, step));
    if (step === SLAB) this.#noteSlab(magazine);
    this.#announce(block);
    return block;
  }

  /** Of the budget, what is out with this tier's leases; or with all, if there was no block with memory left to give out. */
  #shareOut({ held, count, capacity }: Magazine, step: number): number {
    const bytes = step >= COLD ? this.#core.residentBytes : (held - count) * capacity;
    return bytes / this.#options.maxBytes;
  }

  #noteSlab({ capacity }: Magazine): void {
    this.outbox.add(events.slabCreate, { pool: this.name, capacity } satisfies SlabCreateEvent);
  }

  /**
   * From now on `count` blocks of the magazine's tier are free, with memory, ArrayBuffers and page tables. No statistics count that.
   * @throws `ERR_SLABPOOL_EXHAUSTED`, `ERR_SLABPOOL_OUT_OF_MEMORY`, `ERR_SLABPOOL_CLOSED`: then nothing has changed
   */
  prewarm(magazine: Magazine, count: number): void {
    this.assertGiving();
    this.tracker.drain();
    if (count > magazine.count) this.#warm(magazine, count);
    this.ticker.start();
    const warm: Block[] = [];
    try {
      while (warm.length < count && this.#takeFree(magazine, warm, count - warm.length)) {}
      for (const { bytes } of warm) {
        // As it was, since poison is looked for.
        for (let at = 0; at < bytes.length; at += SMALLEST_PAGE) bytes[at] = bytes[at] as number;
      }
    } finally {
      for (const block of warm) this.#put(magazine, block);
      this.outbox.publish();
    }
  }

  /** Blocks of the magazine first. */
  #warm(magazine: Magazine, count: number): void {
    const { capacity } = magazine;
    const missing = count - magazine.count;
    const possible = this.#core.warm(magazine.sizeClass, missing);
    if (possible >= missing) {
      if (this.#core.exchange[STEP] === SLAB) this.#noteSlab(magazine);
      return;
    }
    if (possible >= 0)
      throw tooMany(this.#core, this.name, this.#options.maxBytes, capacity, count, possible + magazine.count);
    throw possible === DRAINING ? this.#refusal(magazine, possible) : this.#whyNot(magazine, possible);
  }

  /** Some free blocks come into the hands of the caller. */
  #takeFree(magazine: Magazine, into: Block[], most: number): boolean {
    if (magazine.count > 0) return into.push(magazine.blocks[--magazine.count] as Block) > 0;
    const { exchange } = this.#core;
    const count = this.#core.takeFree(magazine.sizeClass, Math.min(most, magazine.batch));
    if (count <= 0) return false; // others have taken some
    const numbers = exchange.slice(0, count);
    magazine.held += count;
    let at = 0;
    try {
      for (; at < count; at++) into.push(this.#blockAt(numbers[at] as number, magazine));
    } finally {
      for (; at < count; at++) this.#giveBack(magazine, numbers[at] as number);
    }
    return true;
  }

  /** Lets subscribers know. If one of them ends the pool, the block on its way to a lease goes back, and there is no lease. */
  #announce(block: Block | null): void {
    this.outbox.publish();
    if (!this.closed && !this.#draining) return;
    if (block !== null) this.#put(block.magazine, block);
    throw this.ended();
  }

  /**
   * Another block for one that is unfit to be leased: its ArrayBuffer was detached after its release, through a view that
   * somebody kept.
   */
  replace(magazine: Magazine, unfit: Block): Block {
    let block = unfit;
    do {
      this.#retire(magazine, block);
      block = magazine.count > 0 ? (magazine.blocks[--magazine.count] as Block) : this.refill(magazine);
    } while (block.bytes.length !== magazine.capacity);
    return block;
  }

  /**
   * The end of an epoch. Magazines in which nothing was acquired go to the core, and all of them if memory is short: there their
   * blocks age like all others.
   */
  flushQuiet(all: boolean): void {
    this.tracker.drain();
    this.#retireDetached();
    for (const magazine of this.magazines) {
      if (all || magazine.quiet()) this.#empty(magazine);
    }
  }

  /** The janitor thread ages the native core; the TypeScript one is aged here. Blocks that went cold need no ArrayBuffers. */
  age(critical: boolean): void {
    this.#press(this.#core.waiting > 0 || this.#draining);
    if (this.#native) {
      this.sweep();
    } else {
      if (critical) this.#core.trim('pressure');
      else this.#core.age();
      this.sweep(Infinity);
    }
  }

  /** Whether there is anything left to look after. */
  get isWarm(): boolean {
    return this.#table.size > 0 || (!this.#native && this.#core.residentBytes > 0);
  }

  /** As on release. */
  #retireDetached(): void {
    if (!this.#native) return;
    for (const { magazine, index } of this.#adrift.takeDetached()) {
      this.#sure('retire', this.#core.retire(magazine.sizeClass, index), magazine, index);
      magazine.held--;
    }
  }

  /** For a thread that blocks, whose event loop does not turn: what it would do. */
  blocked(): void {
    this.mail();
    this.ticker.catchUp();
  }

  /** There may be grants, or other threads want something. */
  mail(): void {
    stir();
    this.#obey();
    if (this.closed) return;
    this.waiting.collect();
    this.#press(this.#core.waiting > 0 || this.#draining);
    this.drains.check();
    this.outbox.publish();
  }

  /** Does what this thread is summoned to do. */
  #obey(): void {
    const summons = this.#core.takeSummons();
    if (summons === 0 || this.closed) return;
    this.#flushAll();
    if (summons === SUMMONS_DRAIN) this.#runDry();
    // Nobody waits for pages to go back but who has asked for it.
    else if (summons !== SUMMONS_FLUSH) this.#core.trimSoon();
  }

  /** Nothing is given out any more: see {@link Drain}. */
  drain(): void {
    this.#core.drain();
    this.mail();
  }

  #runDry(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.waiting.failAll(() => this.ended());
  }

  /** Nothing is out any more, as far as this thread can know. */
  get drained(): boolean {
    return this.#core.drained && this.oversize.count === 0;
  }

  /** While anybody waits for budget, nothing stays in magazines. */
  #press(pressed: boolean): void {
    if (pressed === this.#pressed) return;
    this.#pressed = pressed;
    if (pressed) this.#flushAll();
    for (const magazine of this.magazines) magazine.suspend(pressed);
  }

  get sweeping(): boolean {
    return this.#swept > 0;
  }

  /** Forgets blocks that have no memory any more, in so many parts of the table; the next call goes on from there. */
  sweep(parts = SWEEP): void {
    const core = this.#core;
    const { exchange } = core;
    const end = Math.min(this.#swept + parts, this.#table.parts);
    for (; this.#swept < end; this.#swept++) {
      const numbers = this.#table.part(this.#swept);
      for (let from = 0; from < numbers.length; from += MAX_BATCH) {
        const some = numbers.slice(from, from + MAX_BATCH);
        exchange.set(some);
        for (const number of exchange.slice(0, core.areCold(some.length))) this.#table.delete(number);
      }
    }
    if (this.#swept >= this.#table.parts) this.#swept = 0;
  }

  /** Tells the core what it cannot know: leases since the last time, and what is in the magazines. */
  tell(): void {
    const { exchange } = this.#core;
    for (const magazine of this.magazines) {
      // Below 0 when blocks of a refill turned out to be unfit.
      const since = Math.max(0, magazine.acquires - magazine.reported);
      magazine.reported += since;
      exchange[0] = since;
      exchange[1] = since / 2 ** 32;
      exchange[2] = magazine.count;
      this.#core.report(magazine.sizeClass);
    }
  }

  #blockAt(index: number, magazine: Magazine): Block {
    const known = this.#table.get(index);
    return known !== undefined && this.#native ? known : this.#map(index, magazine, known);
  }

  #map(index: number, magazine: Magazine, known: Block | undefined): Block {
    if (known !== undefined) {
      // On the native core a block keeps its address, whether it has memory or not.
      if (this.#core.map(magazine.sizeClass, index) === known.bytes) return known;
      this.#table.delete(index);
    }
    const block = new Block(this.#core.map(magazine.sizeClass, index), index, magazine);
    this.#table.set(block);
    return block;
  }

  /** What {@link Magazine.put} does not do by itself. */
  putSlow(magazine: Magazine, block: Block): Spent | null {
    const spent = this.#put(magazine, block);
    this.outbox.publish();
    return spent;
  }

  /** As a release, in the middle of something else. */
  keep(block: Block): void {
    this.#put(block.magazine, block);
  }

  #put(magazine: Magazine, block: Block): Spent | null {
    if (isStandIn(block)) return this.#putTracked(block);
    if (this.readers.has(block)) {
      const last = this.readers.end(block);
      return last === null ? null : this.#put(last.magazine, last);
    }
    if (this.closed) {
      this.#putClosed(magazine, block);
      return null;
    }
    const { zero } = this.#options;
    if (magazine === this.oversize.magazine) {
      this.oversize.drop(block);
      if (this.#detaches && block.bytes.length > 0) this.#core.detach(block.buffer);
      return null;
    }
    if (block.bytes.length !== magazine.capacity) {
      this.#retire(magazine, block);
      return null;
    }
    if (zero === 'release') block.bytes.fill(0);
    this.poison?.fill(block);
    let mail: number;
    if (this.#detaches) {
      this.#unmap(block);
      mail = this.#giveBack(magazine, block.index);
    } else {
      mail = magazine.count < magazine.size ? 0 : this.#makeRoom(magazine);
      magazine.blocks[magazine.count++] = block;
      if (this.#pressed) mail = this.#flushOf(magazine);
    }
    this.#press((mail & WAITING) !== 0);
    if ((mail & SUMMONED) !== 0) this.#obey();
    return null;
  }

  /** A lease ends after its pool: now its memory goes, too. */
  #putClosed(magazine: Magazine, block: Block): void {
    if (magazine === this.oversize.magazine) {
      this.oversize.drop(block);
    } else if (block.bytes.length !== magazine.capacity) {
      this.#retire(magazine, block);
    } else {
      if (this.#options.zero === 'release') block.bytes.fill(0);
      this.#unmap(block);
      this.#giveBack(magazine, block.index);
    }
    this.endIfEmpty();
  }

  #makeRoom(magazine: Magazine): number {
    // Of no use to a thread that only releases: it keeps one batch at most, and none of it when that is full.
    return magazine.shrinks() ? this.#flushOf(magazine) : this.#flush(magazine, magazine.batch);
  }

  #putTracked(standIn: Block): Spent {
    const block = this.tracker.blockOf(standIn);
    const spent = this.tracker.end(standIn, 'released');
    this.#put(block.magazine, block);
    this.poison?.remember(block, spent);
    return spent;
  }

  #sampled(magazine: Magazine, size: number): Magazine {
    const { interval } = magazine;
    magazine.sampleAfter(1); // Should a subscriber acquire, its acquire is one to look at, too.
    let block = magazine.count > 0 ? (magazine.blocks[--magazine.count] as Block) : this.refill(magazine);
    if (block.bytes.length !== magazine.capacity) block = this.replace(magazine, block);
    this.poison?.check(block);
    this.tracker.drain();
    this.#announce(block);
    if (this.#options.zero === 'acquire') block.bytes.fill(0);
    magazine.interval = interval;
    block = this.tracker.sample(magazine, block, size);
    const from = block.magazine;
    from.blocks[from.count++] = block;
    return from;
  }

  /** The block gets a new ArrayBuffer when it is used next. */
  #unmap({ buffer, index }: Block): void {
    this.#table.delete(index);
    this.#core.detach(buffer, index);
  }

  /** One block that is not in the magazine goes to the core. */
  #giveBack(magazine: Magazine, index: number): number {
    this.#core.exchange[0] = index;
    const mail = this.#core.flush(magazine.sizeClass, 1);
    magazine.held--;
    this.poison?.flushed(index);
    return this.#sure('flush', mail, magazine, index);
  }

  /** The lease of this block was collected unreleased. */
  abandoned(block: Block): void {
    const { magazine, index } = block;
    if (magazine === this.oversize.magazine) return; // It looks after its own.
    if (block.bytes.length !== magazine.capacity) {
      this.#retire(magazine, block);
      return;
    }
    this.#table.delete(index);
    this.#core.disown(index);
    // What is above the top of the stack still refers to blocks that have left it.
    magazine.blocks.length = magazine.count;
    this.#adrift.add(block);
  }

  /** Nobody has the bytes of an abandoned block any more. */
  #ashore(magazine: Magazine, index: number): void {
    // The TypeScript core has no memory for it now, so nothing to wipe.
    if (this.#native && !this.closed && (this.poison !== null || this.#options.zero === 'release')) {
      this.keep(this.#blockAt(index, magazine));
    } else {
      this.#giveBack(magazine, index);
    }
    this.endIfEmpty();
    this.outbox.publish();
  }

  /** The holder detached the block's ArrayBuffer; whoever has the memory now may write to it for ever. */
  #retire(magazine: Magazine, block: Block): void {
    const answer = this.#core.retire(magazine.sizeClass, block.index);
    this.#table.delete(block.index);
    magazine.held--;
    this.#sure('retire', answer, magazine, block.index);
  }

  /** The core's answer to what cannot fail while its books and this thread's agree. */
  #sure(call: string, answer: number, { sizeClass, held, count }: Magazine, block: number): number {
    if (answer < 0) throw internal(call, answer, { sizeClass, held, count, block }, this.name);
    return answer;
  }

  /** Gives the `count` coldest blocks of the magazine to the core, at most a batch. Its answer. */
  #flush(magazine: Magazine, count: number): number {
    const { blocks } = magazine;
    const { exchange } = this.#core;
    for (let i = 0; i < count; i++) exchange[i] = (blocks[i] as Block).index;
    const mail = this.#core.flush(magazine.sizeClass, count);
    if (this.poison !== null) for (let i = 0; i < count; i++) this.poison.flushed((blocks[i] as Block).index);
    magazine.held -= count;
    magazine.count -= count;
    for (let i = 0; i < magazine.count; i++) blocks[i] = blocks[i + count] as Block;
    return this.#sure('flush', mail, magazine, exchange[0] as number);
  }

  /**
   * The block of a lease whose ArrayBuffer was transferred, and whose memory has come back under another one.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_FOREIGN_BUFFER`, `ERR_SLABPOOL_SHARED`
   */
  reclaim(leased: Block, memory: ArrayBuffer | ArrayBufferView): Block {
    if (this.readers.has(leased)) {
      if (this.readers.count(leased) > 1) throw this.#sharedError(leased, 'reclaimed');
      return this.reclaim(this.readers.blockOf(leased), memory);
    }
    const block = this.tracker.blockOf(leased);
    const { magazine, capacity } = block;
    const bytes = returnedBytes(memory, capacity, this.name);
    if (bytes.buffer === block.buffer) return leased; // it was never away, or is back
    let whole: Block | null = null;
    if (block.bytes.length !== capacity) {
      whole = magazine === this.oversize.magazine ? this.oversize.reclaim(block, bytes) : this.#reclaim(block, bytes);
    }
    if (whole === null) throw foreignBuffer(capacity, capacity, this.name);
    return isStandIn(leased) ? this.tracker.replace(leased, whole) : whole;
  }

  #reclaim({ magazine, index }: Block, bytes: Bytes): Block | null {
    const answer = this.#sure('reclaim', this.#core.reclaim(magazine.sizeClass, index, bytes), magazine, index);
    if (answer === OTHER_MEMORY) return null;
    const block = new Block(bytes, index, magazine);
    this.#table.delete(index);
    this.#table.set(block);
    return block;
  }

  /** The block leaves this thread, with `size` of its bytes used: a ticket. */
  transfer(block: Block, size: number): number {
    const { magazine, index } = this.movable(block);
    return this.#sure('transfer', this.#core.transfer(magazine.sizeClass, index, size), magazine, index);
  }

  /** A leased block has left this thread: what its lease has to remember, or null. */
  left(block: Block): Spent | null {
    // What follows is kept small, for V8 to inline it: hand-overs take a tenth longer otherwise.
    if (block.magazine.sizeClass < OVERSIZE || this.#detaches) return this.#leftSlow(block);
    block.magazine.held--;
    return null;
  }

  #leftSlow(leased: Block): Spent | null {
    const block = this.readers.blockOf(leased);
    const itself = this.tracker.blockOf(block);
    itself.magazine.held--;
    if (this.#detaches) this.#unmap(itself);
    return itself === block ? null : this.tracker.end(block, 'handed over');
  }

  /** The block behind a leased one, which can leave this thread. */
  movable(leased: Block): Block {
    this.assertOpen();
    const block = isStandIn(leased) ? this.tracker.blockOf(leased) : leased;
    return block.index < 0 || block.bytes.length !== block.capacity ? this.#onlyReader(block) : block;
  }

  /** The block of a buffer that several leases had, and one has. */
  #onlyReader(block: Block): Block {
    if (!this.readers.has(block) || this.readers.count(block) > 1) this.#immovable(block);
    return this.movable(this.readers.blockOf(block));
  }

  #sharedError(leased: Block, what: 'handed over' | 'reclaimed'): SlabPoolError {
    return new SlabPoolError(
      'ERR_SLABPOOL_SHARED',
      `${this.readers.count(leased)} leases have the buffer (retain()), so it cannot be ${what} before all but one are released`,
      { pool: this.name },
    );
  }

  #immovable(block: Block): never {
    const { magazine } = block;
    if (this.readers.has(block)) throw this.#sharedError(block, 'handed over');
    if (magazine === this.oversize.magazine) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_OVERSIZE',
        'an oversize lease has no block to hand over. Post its ArrayBuffer with postMessage(value, [lease.buffer]) and ' +
          'release the lease then, or raise maxPooledSize',
        { pool: this.name },
      );
    }
    throw new SlabPoolError('ERR_SLABPOOL_DETACHED', "the lease's ArrayBuffer was detached: release it instead", {
      pool: this.name,
    });
  }

  /** The core's part of an endpoint of this pool in this thread: of a new channel, or of one that there is. */
  openChannel(mail: MailSlot, at: { capacity: number; holdOpen: boolean } | ChannelHandle): CoreChannel {
    if (!(this.#core instanceof NativeCore)) {
      throw new SlabPoolError('ERR_SLABPOOL_BACKEND', 'only pools on the native core have channels', {
        pool: this.name,
      });
    }
    this.share();
    try {
      return this.#core.channel(mail, at);
    } catch (cause) {
      throw failure(cause, this.name);
    }
  }

  /** The two numbers of a channel's message. */
  get meta(): Float64Array {
    return (this.#core as NativeCore).meta;
  }

  /** The block of a ticket, which is now this thread's. */
  adopt(ticket: number): Block {
    this.assertOpen();
    if (!Number.isSafeInteger(ticket) || ticket < 0) {
      throw invalidArg('adopt(ticket)', 'a number that lease.transfer() returned', ticket, this.name);
    }
    const answer = this.#core.adopt(ticket);
    if (answer === STALE) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_STALE_TICKET',
        `ticket ${ticket} is good for nothing: each is adopted once, by a pool that shares the handle of the one it is from`,
        { pool: this.name, details: { ticket } },
      );
    }
    if (answer !== 0) throw internal('adopt', answer, { ticket }, this.name);
    return this.received(0);
  }

  /** A block that another thread has handed over: number `at` in `exchange`. For a lease of {@link sizeOf}. */
  received(at: number): Block {
    const block = this.#arrived(at);
    return --this.tracker.untilReceived > 0 ? block : this.tracker.received(block, this.sizeOf(at));
  }

  /** How many bytes its sender used of a block that was {@link received}. */
  sizeOf(at: number): number {
    return this.#core.exchange[SIZES + at] as number;
  }

  /** A block that was waited for: the first in `exchange`. For a lease, as an acquire leaves it. */
  granted(size: number): Block {
    const block = this.#arrived(0);
    this.poison?.check(block);
    if (this.#options.zero === 'acquire') block.bytes.fill(0);
    this.tracker.requests.add(size, 1);
    return --this.tracker.untilReceived > 0 ? block : this.tracker.received(block, size);
  }

  /** A block that the core has just given to this thread: number `at` in `exchange`. */
  #arrived(at: number): Block {
    const { exchange } = this.#core;
    const index = exchange[at] as number;
    const magazine = this.magazines[exchange[CLASSES + at] as number] as Magazine;
    magazine.held++;
    this.ticker.start();
    const block = this.#blockAt(index, magazine);
    return block.bytes.length === magazine.capacity ? block : this.#remap(block);
  }

  #remap({ index, magazine }: Block): Block {
    // An earlier holder in this thread kept a view and detached it. On the native core the memory is there all the same.
    this.#table.delete(index);
    const again = this.#blockAt(index, magazine);
    if (again.bytes.length === magazine.capacity) return again;
    this.#retire(magazine, again);
    throw new SlabPoolError(
      'ERR_SLABPOOL_DETACHED',
      'the ArrayBuffer was detached on its way, through a view that was kept',
      {
        pool: this.name,
      },
    );
  }

  #flushAll(): void {
    this.tracker.drain();
    for (const magazine of this.magazines) this.#empty(magazine);
  }

  /** All its blocks go to the core, and it keeps none of their buffers alive. */
  #empty(magazine: Magazine): void {
    this.#flushOf(magazine);
    magazine.blocks.length = 0;
  }

  #flushOf(magazine: Magazine): number {
    let mail = 0;
    while (magazine.count > 0) mail = this.#flush(magazine, Math.min(magazine.count, magazine.batch));
    return mail;
  }

  /** Everything that is free goes back to the OS; what is in magazines of other threads as soon as they can. The bytes given back. */
  trim(): number {
    this.assertOpen();
    this.#flushAll();
    this.#core.summonOthers(SUMMONS_TRIM);
    const bytes = this.#core.trim('trim');
    this.#swept = 0;
    this.sweep(Infinity);
    this.#noteTrim('trim', bytes);
    this.outbox.publish();
    return bytes;
  }

  #noteTrim(cause: Cause, bytes: number): void {
    if (bytes > 0) this.outbox.add(events.trim, { pool: this.name, cause, bytes } satisfies TrimEvent);
  }

  /** Leases that this thread has out. */
  outstanding(): number {
    this.tracker.drain();
    let leased = this.oversize.count;
    for (const { held, count } of this.magazines) leased += held - count;
    return leased;
  }

  /** Blocks that this thread has an ArrayBuffer for. */
  get mapped(): number {
    return this.#table.size;
  }

  get core(): Core {
    return this.#core;
  }

  close(): void {
    if (this.closed) return;
    for (const endpoint of this.endpoints) endpoint.leave();
    const reason = () => closedError(this.name);
    this.waiting.failAll(reason);
    this.drains.failAll();
    this.#flushAll();
    this.tell();
    this.closed = true;
    this.ticker.stop();
    // Every acquire and release now takes the slow path, which finds the pool closed.
    for (const magazine of [...this.magazines, this.oversize.magazine]) magazine.limit = 0;
    // Views of what is free show nobody's bytes from now on. Leases that are out, or whose bytes may be, are not touched.
    const leased = this.magazines.some(({ held }) => held > 0);
    this.#table.retain(({ index, magazine, buffer }) => {
      if (leased && this.#core.holds(magazine.sizeClass, index)) return true;
      this.#core.detach(buffer, index);
      return false;
    });
    if (leased && !this.#shared) this.#core.trimSoon();
    this.endIfEmpty();
    this.outbox.publish();
  }

  /** A closed pool ends, for this thread, with the last lease. */
  endIfEmpty(): void {
    if (!this.closed || this.#ended || this.oversize.count > 0 || this.magazines.some(({ held }) => held > 0)) return;
    this.#ended = true;
    this.tracker.close();
    this.#core.close();
  }

  assertOpen(): void {
    if (this.closed) throw closedError(this.name);
  }

  /** Why nothing is given out any more. */
  ended(): SlabPoolError {
    return this.closed ? closedError(this.name) : drainingError(this.name);
  }

  /** Before something is given out. */
  assertGiving(): void {
    if (this.closed || this.#draining) throw this.ended();
  }

  noteExhausted(capacity: number, waits: boolean): void {
    const { maxBytes } = this.#options;
    this.outbox.add(events.exhausted, { pool: this.name, capacity, maxBytes, waits } satisfies ExhaustedEvent);
  }

  #refusal(magazine: Magazine, status: number): SlabPoolError {
    if (status === DRAINING) {
      this.#runDry();
      return this.ended();
    }
    if (status === EXHAUSTED) {
      this.#core.countRefusal();
      this.noteExhausted(magazine.capacity, false);
    }
    const error = this.#whyNot(magazine, status);
    this.#announce(null);
    return error;
  }

  #whyNot({ capacity }: Magazine, status: number): SlabPoolError {
    return refusal(this.#core, this.name, this.#options.maxBytes, capacity, status, () => this.#ended);
  }

  /** For an acquire above the largest tier. */
  acquireOversize(size: number): Block {
    let block: Block | null = null;
    try {
      block = this.oversize.make(size);
      return block;
    } finally {
      this.#announce(block);
    }
  }
}

function closedError(pool: string): SlabPoolError {
  return new SlabPoolError('ERR_SLABPOOL_CLOSED', 'it was closed; make a new BufferPool', { pool });
}

function drainingError(pool: string): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_CLOSED',
    'it is being drained (drain() was called, in this thread or another), so nothing new is given out; make a new BufferPool',
    { pool },
  );
}
