import type { Outbox } from '../events.js';
import type { EndedLease } from '../lease/ended-lease.js';
import { Block, Magazine, type MagazineOwner, TRACKED } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import { LeaseLog, type TrackedLease } from './lease-log.js';
import { RequestSizes } from './request-sizes.js';
import { Sampling } from './sampling.js';

/** The first acquires of a tier, each of which is sampled. */
const COUNTED = 64;
/** After these, the intervals between samples grow to the longest, as a share of what was acquired so far. */
const SHARE = 16;
const LONGEST_INTERVAL = 4096;
/**
 * The share of the budget from which on some of each batch that is taken from the core are tracked, the more of them
 * the less is left. Who holds what is out then is what somebody will want to know, and a lease that is forgotten gives
 * its block back if it is tracked.
 */
const CROWDED = 1 / 4;

/** What a tracked lease is of. */
interface Leased {
  readonly block: Block;
  /** Acquires of the tier, up to and including this one. */
  readonly acquires: number;
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
 *            nothing more. That magazine is the lease's token in the {@link LeaseLog}.
 * Callers    The heap and its parts: at samples, and whenever a tracked lease ends or somebody looks.
 * Ownership  Nothing but its lease refers to a magazine that is registered, so both are collected together.
 */
export class Tracker {
  readonly requests = new RequestSizes();
  readonly log: LeaseLog<Leased, Magazine>;
  readonly #owner: TrackerOwner;
  readonly #sampling: Sampling;
  readonly #longest: number;
  /** Blocks from other threads up to the one that is looked at next. */
  untilReceived: number;
  /** Magazines whose next sample is to be tracked. */
  readonly #crowded = new Set<Magazine>();

  constructor(owner: TrackerOwner, options: ResolvedOptions, byItself: boolean) {
    const { leakDetection, leakSampleRate, zero, debug } = options;
    this.#owner = owner;
    this.#sampling = new Sampling(options, byItself);
    const each = leakDetection === 'full' || zero === 'acquire' || debug !== 'off';
    this.#longest = each ? 1 : Math.min(leakSampleRate, LONGEST_INTERVAL);
    this.untilReceived = this.#sampling.interval();
    const { name, outbox } = owner;
    const leaked = ({ block }: Leased) => owner.leaked(block);
    const settling = (id: number, own: Magazine) => this.#settling(id, own);
    this.log = new LeaseLog({ name, outbox, leaked, settling }, 'buffer', leakDetection === 'full');
  }

  /** The acquire that ends an interval of `magazine`: its block, or what a tracked lease has instead. */
  sample(magazine: Magazine, block: Block, size: number): Block {
    this.drain();
    const { interval, acquires } = magazine;
    this.requests.add(size, interval);
    const most = acquires < COUNTED || magazine.sizeClass < 0 ? 1 : Math.min(this.#longest, acquires / SHARE);
    // Drawn, so that no pattern in the program keeps step with it.
    magazine.sampleAfter(Math.max(1, Math.round(most * (1 + Math.random()) * 0.5) | 0));
    return this.#picks(magazine, interval, acquires) && this.#sampling.tracks() ? this.#track(block, size) : block;
  }

  /** Whether the acquire that ends an interval is one that may be tracked. */
  #picks(magazine: Magazine, interval: number, acquires: number): boolean {
    const { detection, rate, seldom } = this.#sampling;
    if (detection !== 'sampled' || this.#crowded.delete(magazine)) return true;
    // Little that is done behaves the same each time it is done.
    if (seldom && acquires <= COUNTED) return false;
    // Each other acquire has the same chance, however long its interval.
    return Math.random() * rate < interval;
  }

  /** A magazine was filled from the core; `shareOut` of the budget is out. */
  refilled(magazine: Magazine, shareOut: number): void {
    if (shareOut < CROWDED || this.#sampling.detection !== 'sampled' || !this.#sampling.affords) return;
    magazine.hasten(Math.max(1, Math.round((1 - shareOut) * magazine.batch * Math.random())));
    this.#crowded.add(magazine);
  }

  /** A block that no acquire counts, when {@link untilReceived} is down to 0: the block, or what a tracked lease has instead. */
  received(block: Block, size: number): Block {
    this.untilReceived = this.#sampling.interval();
    return this.#sampling.tracks() ? this.#track(block, size) : block;
  }

  #track(block: Block, size: number): Block {
    const own = this.#own(block);
    const id = this.log.track({ block, acquires: block.magazine.acquires }, own, size, block.capacity);
    return new Block(block.bytes, id, own);
  }

  /**
   * The magazine of a tracked lease. A release that V8 sees to call anything makes V8 create each lease, where it would leave most of them
   * out (a frame keeps its `this`, for stack traces). So where few are tracked, one that ends in the turn of its acquire is put into
   * this magazine as into any other, from which it is taken when somebody looks ({@link drain}). Where its release was is not
   * known then. Otherwise, and from the end of the turn on, the limit is 0, so that each release comes to {@link end}.
   */
  #own({ capacity }: Block): Magazine {
    return new Magazine(this.#owner, TRACKED, capacity, 1, this.#sampling.seldom);
  }

  /** Puts blocks of tracked leases that have ended where they belong. */
  drain(): void {
    if (!this.#sampling.seldom) return; // None of them does: see {@link #own}.
    for (const [id, own] of this.log.fresh) if (own.count > 0) this.#drain(id, own);
  }

  #drain(id: number, own: Magazine): void {
    own.pop();
    own.forgetOthers();
    const { block, acquires } = this.log.itOf(id);
    this.log.endUnseen(id, own, block.magazine.acquires - acquires);
    this.#owner.putBack(block);
  }

  /** From now on the lease's release comes to {@link end}. */
  #settling(id: number, own: Magazine): void {
    if (own.count > 0) this.#drain(id, own);
    own.limit = 0;
    own.forgetOthers();
  }

  /** The block of a lease: that of a tracked one, or itself. */
  blockOf(block: Block): Block {
    return block.magazine.sizeClass === TRACKED ? this.log.itOf(block.index).block : block;
  }

  /** What the tracked lease of `tracked` goes on with, over another block. */
  replace({ index, magazine }: Block, block: Block): Block {
    this.log.replace(index, { ...this.log.itOf(index), block });
    return new Block(block.bytes, index, magazine);
  }

  touch({ index, magazine }: Block, hint: string): void {
    if (magazine.sizeClass === TRACKED) this.log.touch(index, hint);
  }

  /** Ends a tracked lease. @returns what that lease has instead of its magazine from now on */
  end({ index, magazine }: Block, how: 'released' | 'handed over'): EndedLease {
    return this.log.end(index, magazine, how);
  }

  /** Oldest first. */
  leases(olderThanMs: number): TrackedLease[] {
    this.drain();
    return this.log.leases(olderThanMs);
  }

  /** From now on nothing is reported. */
  close(): void {
    for (const own of this.log.fresh.values()) own.limit = 0;
    this.log.close();
  }
}
