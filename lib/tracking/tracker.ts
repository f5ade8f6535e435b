import { setImmediate } from 'node:timers';
import { now } from '../base/runtime.js';
import { events, type LeakEvent, type Outbox, type Touch } from '../events.js';
import { EndedLease } from '../lease/ended-lease.js';
import { Block, Magazine, type MagazineOwner, TRACKED } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import { LeaseRecord } from './lease-record.js';
import { RequestSizes } from './request-sizes.js';
import { Stack } from './stack.js';

/** The first acquires of a tier, each of which is sampled. */
const COUNTED = 64;
/** After these, the intervals between samples grow to the longest, as a share of what was acquired so far. */
const SHARE = 16;
const LONGEST_INTERVAL = 4096;
/**
 * A sampled lease takes some 6 µs, most of it for a stack. One in 4096 is nothing beside what a program does with 4096
 * buffers; a thread that does nothing else tracks fewer: this many in a burst, and then so many a millisecond, below 1
 * % of its time.
 */
const BURST = 64;
const PER_MS = 1;
/**
 * The share of the budget from which on some of each batch that is taken from the core are tracked, the more of them
 * the less is left. Who holds what is out then is what somebody will want to know, and a lease that is forgotten gives
 * its block back if it is tracked.
 */
const CROWDED = 1 / 4;
/** One in so many, or fewer, are tracked at the least possible cost: {@link Tracker.own}. */
const SELDOM = 1024;
/** Numbers of tracked leases stay integers of 31 bits. */
const IDS = 2 ** 30;

/** A tracked lease that is out. */
interface Tracked {
  readonly block: Block;
  readonly record: LeaseRecord;
  /** Acquires of the tier, up to and including this one. */
  readonly acquires: number;
}

/** Options of `trackedLeases()`. */
export interface TrackedLeasesOptions {
  /** Only leases that are out for as long: milliseconds from 0. Default: 0. */
  olderThanMs?: number;
}

/** A lease that is out, and tracked. */
export interface TrackedLease {
  /** Where it was acquired: the innermost frame that is not of this package. */
  readonly site: string;
  /** The frames from there on, one a line. */
  readonly stack: string;
  /** Bytes that were asked for. */
  readonly size: number;
  /** Bytes of the tier. */
  readonly capacity: number;
  /** Milliseconds since it was acquired. */
  readonly ageMs: number;
  /** `threadId` of the worker, 0 for the main thread. */
  readonly thread: number;
  /** The latest calls of `touch()`, at most 8. */
  readonly touches: readonly Touch[];
}

/** What a tracker asks of the heap that it belongs to. */
export interface TrackerOwner extends MagazineOwner {
  readonly outbox: Outbox;
  /** As a release, in the middle of something else. */
  putBack(block: Block): void;
  /** The lease of this block was collected unreleased. */
  leaked(block: Block): void;
}

/**
 * A tracker looks at some of this thread's leases: what they asked for, how long they are out, and, for those that it
 * tracks, where they come from. (Netty's `ResourceLeakDetector` has the levels; its hints are `touch()`.)
 *
 * What       A tracked lease is an ordinary one, released to a magazine of its own, so that the releases of others cost
 *            nothing more. That magazine is registered for finalization once it has outlived a turn of the event loop;
 *            most do not, and so cost no more than their stacks.
 * Callers    The heap and its parts: at samples, and whenever a tracked lease ends or somebody looks.
 * Ownership  Nothing but its lease refers to a magazine that is registered, so both are collected together.
 */
export class Tracker {
  readonly requests = new RequestSizes();
  readonly holds = { samples: 0, totalMs: 0 };
  /** Tracked leases that were collected without a release. */
  collected = 0;
  /** Leaks, by site. */
  readonly leaks = new Map<string, LeakEvent & { count: number }>();
  readonly #published = new Set<string>();
  readonly #owner: TrackerOwner;
  readonly #detection: ResolvedOptions['leakDetection'];
  readonly #rate: number;
  readonly #longest: number;
  readonly #seldom: boolean;
  /** Tracked leases that are out, by what stands for the number of a block in theirs. */
  readonly #tracked = new Map<number, Tracked>();
  /** The magazines of those of this turn of the event loop, which are not registered yet. */
  readonly #fresh = new Map<number, Magazine>();
  /** Whether {@link #settle} will be called at the end of this turn. */
  #settles = false;
  readonly #registry = new FinalizationRegistry<number>((id) => this.#lost(id));
  #lastId = 0;
  /** Blocks from other threads up to the one that is looked at next. */
  untilReceived: number;
  #affordable = BURST;
  #affordableAt = 0;
  /** Magazines whose next sample is to be tracked. */
  readonly #crowded = new Set<Magazine>();

  constructor(owner: TrackerOwner, { leakDetection, leakSampleRate, zero, debug }: ResolvedOptions, byItself: boolean) {
    this.#owner = owner;
    this.#detection = leakDetection;
    this.#rate = leakSampleRate;
    const each = leakDetection === 'full' || zero === 'acquire' || debug !== 'off';
    this.#longest = each ? 1 : Math.min(leakSampleRate, LONGEST_INTERVAL);
    this.untilReceived = this.#receivedInterval();
    this.#seldom = leakDetection === 'sampled' && leakSampleRate >= SELDOM && byItself;
  }

  /** The acquire that ends an interval of `magazine`: its block, or what a tracked lease has instead. */
  sample(magazine: Magazine, block: Block, size: number): Block {
    this.drain();
    const { interval, acquires } = magazine;
    this.requests.add(size, interval);
    const most = acquires < COUNTED || magazine.sizeClass < 0 ? 1 : Math.min(this.#longest, acquires / SHARE);
    // Drawn, so that no pattern in the program keeps step with it.
    magazine.sampleAfter(Math.max(1, Math.round(most * (1 + Math.random()) * 0.5) | 0));
    if (this.#detection === 'off') return block;
    if (this.#detection === 'full') return this.#track(block, size, now());
    if (this.#crowded.delete(magazine)) return this.#trackIfAffordable(block, size);
    // Little that is done behaves the same each time it is done.
    if (this.#seldom && acquires <= COUNTED) return block;
    // Each other acquire has the same chance, however long its interval.
    return Math.random() * this.#rate < interval ? this.#trackIfAffordable(block, size) : block;
  }

  /** A magazine was filled from the core; `shareOut` of the budget is out. */
  refilled(magazine: Magazine, shareOut: number): void {
    if (shareOut < CROWDED || this.#detection !== 'sampled' || !this.#canAfford(now())) return;
    magazine.hasten(Math.max(1, Math.round((1 - shareOut) * magazine.batch * Math.random())));
    this.#crowded.add(magazine);
  }

  /** A block that no acquire counts, when {@link untilReceived} is down to 0: the block, or what a tracked lease has instead. */
  received(block: Block, size: number): Block {
    this.untilReceived = this.#receivedInterval();
    if (this.#detection === 'off') return block;
    if (this.#detection === 'full') {
      return this.#track(block, size, now());
    }
    return this.#trackIfAffordable(block, size);
  }

  #receivedInterval(): number {
    if (this.#detection === 'off') return IDS;
    return this.#detection === 'full'
      ? 1
      : Math.max(1, Math.round(Math.min(this.#rate, IDS) * (0.5 + Math.random())) | 0);
  }

  #trackIfAffordable(block: Block, size: number): Block {
    const at = now();
    if (!this.#seldom) return this.#track(block, size, at);
    if (!this.#canAfford(at)) return block;
    this.#affordable--;
    return this.#track(block, size, at);
  }

  #canAfford(at: number): boolean {
    this.#affordable = Math.min(BURST, this.#affordable + (at - this.#affordableAt) * PER_MS);
    this.#affordableAt = at;
    return this.#affordable >= 1;
  }

  #track(block: Block, size: number, since: number): Block {
    do {
      this.#lastId = (this.#lastId + 1) % IDS;
    } while (this.#tracked.has(this.#lastId));
    const id = this.#lastId;
    const own = this.#own(block);
    const record = new LeaseRecord(this.#owner.name, size, block.capacity, since, new Stack());
    this.#tracked.set(id, { block, record, acquires: block.magazine.acquires });
    if (!this.#settles) setImmediate(() => this.#settle()).unref();
    this.#settles = true;
    this.#fresh.set(id, own);
    return new Block(block.bytes, id, own);
  }

  /**
   * The magazine of a tracked lease. A release that V8 sees to call anything makes V8 create each lease, where it would leave most of them
   * out (a frame keeps its `this`, for stack traces). So where few are tracked, one that ends in the turn of its acquire is put into
   * this magazine as into any other, from which it is taken when somebody looks ({@link drain}). Where its release was is not
   * known then. Otherwise, and from the end of the turn on, the limit is 0, so that each release comes to {@link end}.
   */
  #own({ capacity }: Block): Magazine {
    return new Magazine(this.#owner, TRACKED, capacity, 1, this.#seldom);
  }

  /** Puts blocks of tracked leases that have ended where they belong. */
  drain(): void {
    for (const [id, own] of this.#fresh) {
      if (own.count === 0) continue;
      own.pop();
      own.forgetOthers();
      const { block, record, acquires } = this.#forget(id, own);
      // Nobody looked at the clock when it ended: it is taken to have been out for as long as one acquire took since.
      this.holds.totalMs += (now() - record.since) / Math.max(1, block.magazine.acquires - acquires);
      this.#owner.putBack(block);
    }
  }

  /** Watches the leases still out. Their stacks turn to text: what a frame refers to may be who has the lease. */
  #settle(): void {
    this.#settles = false;
    this.drain();
    for (const [id, own] of this.#fresh) {
      own.limit = 0;
      own.forgetOthers();
      void this.#tracked.get(id)?.record.acquired.frames;
      this.#registry.register(own, id, own);
    }
    this.#fresh.clear();
    this.#owner.outbox.publish();
  }

  /** The block of a lease: that of a tracked one, or itself. */
  blockOf(block: Block): Block {
    return block.magazine.sizeClass === TRACKED ? (this.#tracked.get(block.index) as Tracked).block : block;
  }

  /** What the tracked lease of `tracked` goes on with, over another block. */
  replace({ index, magazine }: Block, block: Block): Block {
    this.#tracked.set(index, { ...(this.#tracked.get(index) as Tracked), block });
    return new Block(block.bytes, index, magazine);
  }

  touch({ index, magazine }: Block, hint: string): void {
    const record = magazine.sizeClass === TRACKED ? this.#tracked.get(index)?.record : undefined;
    record?.touch(hint, this.#detection === 'full' ? new Stack() : undefined);
  }

  /** Ends a tracked lease. @returns what that lease has instead of its magazine from now on */
  end({ index, magazine }: Block, how: 'released' | 'handed over'): EndedLease {
    const { record } = this.#forget(index, magazine);
    this.holds.totalMs += now() - record.since;
    return new EndedLease(record, new Stack(), how);
  }

  #forget(id: number, own: Magazine): Tracked {
    const tracked = this.#tracked.get(id) as Tracked;
    this.#tracked.delete(id);
    if (!this.#fresh.delete(id)) this.#registry.unregister(own);
    this.holds.samples++;
    return tracked;
  }

  /** Reports a leak: the magazine of a tracked lease was collected, and so was the lease, unreleased. */
  #lost(id: number): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return; // The pool was closed meanwhile.
    this.#tracked.delete(id);
    this.collected++;
    const { block, record } = tracked;
    this.#owner.leaked(block);
    const { site } = record.acquired;
    let leak = this.leaks.get(site);
    if (leak === undefined) {
      leak = { ...this.#describe(record, now()), pool: record.pool, count: 0 };
      this.leaks.set(site, leak);
    }
    leak.count++;
    if (!this.#published.has(site) && events.leak.hasSubscribers) {
      this.#published.add(site);
      this.#owner.outbox.add(events.leak, leak);
    }
    this.#owner.outbox.publish();
  }

  /** Leases that are out and tracked. */
  get count(): number {
    this.drain();
    return this.#tracked.size;
  }

  /** Oldest first. */
  leases(olderThanMs: number): TrackedLease[] {
    this.drain();
    const at = now();
    return [...this.#tracked.values()]
      .filter(({ record }) => at - record.since >= olderThanMs)
      .map(({ record }) => this.#describe(record, at));
  }

  #describe({ acquired, size, capacity, since, thread, touches }: LeaseRecord, at: number): TrackedLease {
    return {
      site: acquired.site,
      stack: acquired.text,
      size,
      capacity,
      ageMs: at - since,
      thread,
      touches,
    };
  }

  /** From now on nothing is reported. */
  close(): void {
    for (const own of this.#fresh.values()) own.limit = 0;
    this.#tracked.clear();
    this.#fresh.clear();
  }
}
