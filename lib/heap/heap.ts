import { IterableWeakSet } from '../base/iterable-weak-set.js';
import { type Bytes, now } from '../base/runtime.js';
import type { Cause, Core } from '../core/core.js';
import { BUCKETS, bucketOf, firstOfBucket } from '../core/size-classes.js';
import type { SlabPoolError } from '../errors.js';
import { events, Outbox, type TrimEvent } from '../events.js';
import type { EndedLease } from '../lease/ended-lease.js';
import { Lease } from '../lease/lease.js';
import { Block, Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import { Poison } from '../tracking/poison.js';
import { Tracker, type TrackerOwner } from '../tracking/tracker.js';
import { BudgetWaiters } from './budget-waiters.js';
import { DrainWaiters } from './drain-waiters.js';
import { flushIdle, flushQuiet } from './idle-magazines.js';
import { LeakedBlocks } from './leaked-blocks.js';
import { MappedBlocks } from './mapped-blocks.js';
import { Notifications } from './notifications.js';
import { Oversize } from './oversize.js';
import { prewarm } from './prewarm.js';
import { reclaim } from './reclaim.js';
import { Refills } from './refills.js';
import { closedError, drainingError } from './refusal.js';
import { Releases } from './releases.js';
import { RetainedBlocks } from './retained-blocks.js';
import { SWEPT_AT_ONCE, Ticker } from './ticker.js';
import { Transfers } from './transfers.js';

/**
 * A heap is this thread's share of a pool: a magazine per tier in front of the core, and the ArrayBuffers of the blocks
 * that came by.
 *
 * What       Makes the parts, and passes each call on to the part that serves it; samples acquires, and closes.
 * Callers    One thread. Everything here but the two lookups of {@link magazineFor} is off the hot path.
 * Ownership  The pool and, by their magazines, the leases keep it alive; the core and the timer refer to parts weakly.
 * Identity   Leases out == `oversize.count` + sum of `held - count` over the magazines, once the tracker is drained.
 */
export class Heap implements TrackerOwner {
  readonly name: string;
  readonly core: Core;
  readonly options: ResolvedOptions;
  readonly since = now();
  readonly magazines: readonly Magazine[];
  readonly outbox = new Outbox();
  readonly blocks: MappedBlocks;
  readonly tracker: Tracker;
  /** Null unless the option `debug` is on. */
  readonly poison: Poison | null;
  readonly oversize: Oversize;
  readonly retained: RetainedBlocks;
  readonly refills: Refills;
  readonly releases: Releases;
  readonly transfers: Transfers;
  readonly notifications: Notifications;
  readonly waiters: BudgetWaiters;
  readonly drains: DrainWaiters;
  readonly ticker: Ticker;
  /** Endpoints of channels that are open in this thread. */
  readonly endpoints = new IterableWeakSet<{ leave(): void }>();
  /**
   * For the acquire that {@link Magazine.untilSample} counts down to: the magazine whose topmost block is to be leased.
   * The call comes before anything else is read, since V8 has to read all anew behind a call. Where options ask for
   * something at each acquire, each is sampled. A Proxy, since V8 inlines calls of none: the function would take the
   * place of what has to be inlined.
   */
  readonly sampled = new Proxy(this.#sampled, {});
  /**
   * One of each, always: while none is alive V8 lets their hidden classes go with the third full collection, and with them all optimised
   * code that makes one, the program's loops among it.
   */
  readonly kept: readonly [Block, Lease];
  closed = false;
  /** Whether the pool is closed and no lease of this thread is out. */
  hasEnded = false;
  /** For each bucket of sizes the smallest tier that holds some of them. */
  readonly #byBucket: readonly Magazine[];
  readonly #leaked: LeakedBlocks;
  #shared = false;

  constructor(core: Core, options: ResolvedOptions) {
    this.name = options.name;
    this.core = core;
    this.options = options;
    // What these options do is done at each release.
    const byItself = options.zero !== 'release' && options.debug === 'off';
    this.tracker = new Tracker(this, options, byItself);
    this.poison = options.debug === 'off' ? null : new Poison(options, this.outbox);
    this.magazines = options.tiers.map((capacity, c) => new Magazine(this, c, capacity, core.batch(c), byItself));
    this.magazines.forEach((magazine, c) => {
      magazine.next = this.magazines[c + 1] ?? null;
    });
    const kept = new Block(Buffer.alloc(0), 0, this.magazines[0] as Magazine);
    this.kept = [kept, Lease.over(kept, 0)];
    this.blocks = new MappedBlocks(core, options.name, this.poison);
    this.oversize = new Oversize(this, this.tracker, options, () => this.#discharged());
    this.retained = new RetainedBlocks(this);
    this.#leaked = new LeakedBlocks(this, core, options);
    this.ticker = new Ticker(this, options);
    this.refills = new Refills(this, core, options.maxBytes);
    this.releases = new Releases(this, core, options);
    this.transfers = new Transfers(this, core, options);
    this.waiters = new BudgetWaiters(this, core, options);
    this.drains = new DrainWaiters(this);
    this.notifications = new Notifications(this);
    core.listen(new WeakRef(this.notifications));
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

  /** For an acquire that finds no more than {@link Magazine.floor}: from now on there is a block above it. */
  refill(magazine: Magazine): void {
    this.refills.refill(magazine);
  }

  /** For a block that was just popped and is unfit to be leased: its ArrayBuffer was detached after its release, through a view that was kept. */
  replace(magazine: Magazine): Bytes {
    return this.refills.replace(magazine);
  }

  prewarm(magazine: Magazine, count: number): void {
    prewarm(this, magazine, count);
  }

  /** Publishes what has happened. If a subscriber ends the pool, the block on its way to a lease goes back. */
  publishOrThrow(block: Block | null): void {
    this.outbox.publish();
    if (!this.closed && !this.notifications.draining) return;
    if (block !== null) this.releases.put(block);
    throw this.endedError();
  }

  flushIdle(): void {
    flushIdle(this);
  }

  flushQuiet(all: boolean): void {
    this.#leaked.retireDetached();
    flushQuiet(this, all);
  }

  /** Ages the TypeScript core (the janitor ages the native one), and forgets ArrayBuffers of blocks that went cold. */
  age(critical: boolean): void {
    this.notifications.bypass(this.core.waiting > 0 || this.notifications.draining);
    if (this.core.agesItself) {
      this.blocks.sweep(SWEPT_AT_ONCE);
    } else {
      if (critical) this.core.trim('pressure');
      else this.core.age();
      this.blocks.sweepAll();
    }
  }

  /** Whether there is anything left to look after. */
  get isWarm(): boolean {
    return this.blocks.size > 0 || (!this.core.agesItself && this.core.residentBytes > 0);
  }

  /** Does what the event loop would do, for a thread that blocks, whose event loop does not turn. */
  blocked(): void {
    this.notifications.notified();
    this.ticker.catchUp();
  }

  /** From now on nothing is given out: see {@link DrainWaiters}. */
  drain(): void {
    this.core.drain();
    this.notifications.notified();
  }

  /** Whether nothing is out any more, as far as this thread can know. */
  get drained(): boolean {
    return this.core.drained && this.oversize.count === 0;
  }

  /** Publishes to the core what only this thread knows: acquires since the last time, and what is in the magazines. */
  publishCounters(): void {
    const { exchange } = this.core;
    for (const magazine of this.magazines) {
      // Below 0 when blocks of a refill turned out to be unfit.
      const since = Math.max(0, magazine.acquires - magazine.reported);
      magazine.reported += since;
      exchange[0] = since;
      exchange[1] = since / 2 ** 32;
      exchange[2] = magazine.count;
      this.core.publishCounters(magazine.sizeClass);
    }
  }

  /** What {@link Magazine.put} does not do by itself. */
  putSlow(block: Block): EndedLease | null {
    const ended = this.releases.put(block);
    this.outbox.publish();
    return ended;
  }

  /** As a release, in the middle of something else. */
  putBack(block: Block): void {
    this.releases.put(block);
  }

  #sampled(magazine: Magazine, size: number): Magazine {
    const { interval } = magazine;
    magazine.sampleAfter(1); // Should a subscriber acquire, its acquire is one to look at, too.
    if (magazine.count <= magazine.floor) this.refill(magazine);
    let block = magazine.pop();
    if (block.bytes.length !== magazine.capacity)
      block = new Block(this.replace(magazine), magazine.indices[magazine.count] as number, magazine);
    this.poison?.check(block);
    this.tracker.drain();
    this.publishOrThrow(block);
    if (this.options.zero === 'acquire') block.bytes.fill(0);
    magazine.interval = interval;
    block = this.tracker.sample(magazine, block, size);
    block.magazine.push(block);
    return block.magazine;
  }

  leaked(block: Block): void {
    this.#leaked.add(block);
  }

  retain(block: Block): Block {
    return this.retained.retain(block);
  }

  touch(block: Block, hint: string): void {
    this.tracker.touch(this.retained.blockOf(block), hint);
  }

  reclaim(leased: Block, memory: ArrayBuffer | ArrayBufferView): Block {
    return reclaim(this, leased, memory);
  }

  flushAll(): void {
    this.tracker.drain();
    for (const magazine of this.magazines) this.blocks.empty(magazine);
  }

  /** Everything that is free goes back to the OS; what is in magazines of other threads as soon as they can. The bytes given back. */
  trim(): number {
    this.assertOpen();
    this.flushAll();
    this.core.requestFlush('trim');
    const bytes = this.core.trim('trim');
    this.blocks.sweepAll();
    this.noteTrim('trim', bytes);
    this.outbox.publish();
    return bytes;
  }

  noteTrim(cause: Cause, bytes: number): void {
    if (bytes > 0) this.outbox.add(events.trim, { pool: this.name, cause, bytes } satisfies TrimEvent);
  }

  /** Leases that this thread has out. */
  outstanding(): number {
    this.tracker.drain();
    let leased = this.oversize.count;
    for (const { held, count } of this.magazines) leased += held - count;
    return leased;
  }

  close(): void {
    if (this.closed) return;
    for (const endpoint of this.endpoints) endpoint.leave();
    const reason = () => closedError(this.name);
    this.waiters.failAll(reason);
    this.drains.failAll();
    this.flushAll();
    this.publishCounters();
    this.closed = true;
    this.ticker.stop();
    // Every acquire and release now takes the slow path, which finds the pool closed.
    for (const magazine of this.magazines) magazine.limit = 0;
    // Views of what is free show nobody's bytes from now on. Leases that are out, or whose bytes may be, are not touched.
    const leased = this.magazines.some(({ held }) => held > 0);
    this.blocks.unmapAllBut(
      (index, { length }) => length === 0 || (leased && this.core.holds(this.magazineFor(length - 1).sizeClass, index)),
    );
    if (leased && !this.#shared) this.core.trimSoon();
    this.endIfEmpty();
    this.outbox.publish();
  }

  /** An oversize buffer was dropped. */
  #discharged(): void {
    this.waiters.serveOversize();
    this.drains.check();
    this.endIfEmpty();
  }

  /** Ends a closed pool for this thread if the last lease has ended. */
  endIfEmpty(): void {
    if (!this.closed || this.hasEnded || this.oversize.count > 0 || this.magazines.some(({ held }) => held > 0)) return;
    this.hasEnded = true;
    this.tracker.close();
    this.core.close();
  }

  assertOpen(): void {
    if (this.closed) throw closedError(this.name);
  }

  /** Why nothing is given out any more. */
  endedError(): SlabPoolError {
    return this.closed ? closedError(this.name) : drainingError(this.name);
  }

  /** @throws `ERR_SLABPOOL_CLOSED` where nothing may be given out, since the pool is closed or drains */
  assertGiving(): void {
    if (this.closed || this.notifications.draining) throw this.endedError();
  }

  /** For an acquire above the largest tier. */
  acquireOversize(size: number): Block {
    let block: Block | null = null;
    try {
      block = this.oversize.make(size);
      return block;
    } finally {
      this.publishOrThrow(block);
    }
  }
}
