import { setImmediate } from 'node:timers';
import { checkOptions } from '../base/check-options.js';
import { type Finalizer, unwatch, watch } from '../base/finalization.js';
import { now, outside } from '../base/runtime.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { events, type LeakEvent, type Outbox, type Touch } from '../events.js';
import { EndedLease } from '../lease/ended-lease.js';
import type { LeasedThing } from '../lease/misuse.js';
import { LeaseRecord } from './lease-record.js';
import { Stack } from './stack.js';

/** Numbers of tracked leases stay integers of 31 bits. */
const IDS = 2 ** 30;

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
  /** Bytes that were asked for; 0 in pools of anything but buffers. */
  readonly size: number;
  /** Bytes of the tier; 0 in pools of anything but buffers. */
  readonly capacity: number;
  /** Milliseconds since it was acquired. */
  readonly ageMs: number;
  /** `threadId` of the worker, 0 for the main thread. */
  readonly thread: number;
  /** The latest calls of `touch()`, at most 8. */
  readonly touches: readonly Touch[];
}

/** What a lease log asks of the pool that it belongs to. */
export interface LeaseLogOwner<It, Token> {
  readonly name: string;
  readonly outbox: Outbox;
  /** The lease of this was collected unreleased. The outbox is published afterwards. */
  leaked(it: It): void;
  /** The turn of the event loop is over: the lease of this number is about to be watched, if it is still out afterwards. */
  settling?(id: number, token: Token): void;
}

/** A tracked lease that is out. */
interface Tracked<It> {
  it: It;
  readonly record: LeaseRecord;
}

/**
 * A lease log keeps the records of those leases of a pool that are tracked, by number, and reports those that are
 * collected unreleased.
 *
 * What       Each has a token, which is registered for finalization once it has outlived a turn of the event loop; most do
 *            not, and so cost no more than their stacks.
 * Callers    Whoever samples the pool's acquires; each release of a tracked lease; and whoever looks.
 * Ownership  Nothing but its lease refers to a token, which may be the lease itself: so both are collected together. What
 *            is leased (`it`) is kept by the log until the lease ends, and does not refer to the token.
 */
export class LeaseLog<It, Token extends object> implements Finalizer<number> {
  /** How long those were out that have ended. */
  readonly holds = { samples: 0, totalMs: 0 };
  /** Leases that were collected without a release. */
  collected = 0;
  /** Leaks, by site. */
  readonly leaks = new Map<string, LeakEvent & { count: number }>();
  readonly #published = new Set<string>();
  readonly #owner: LeaseLogOwner<It, Token>;
  readonly #thing: LeasedThing;
  readonly #withStacks: boolean;
  readonly #tracked = new Map<number, Tracked<It>>();
  /** The tokens of those of this turn of the event loop, which are not registered yet. */
  readonly #fresh = new Map<number, Token>();
  /** Whether {@link #settle} will be called at the end of this turn. */
  #settles = false;
  #lastId = 0;

  /** @param withStacks whether {@link touch} records who calls it */
  constructor(owner: LeaseLogOwner<It, Token>, thing: LeasedThing, withStacks: boolean) {
    this.#owner = owner;
    this.#thing = thing;
    this.#withStacks = withStacks;
  }

  /**
   * Begins to track a lease that is being made.
   * @param it what is leased
   * @param token what nothing but the lease refers to
   * @param acquired where it is acquired: here, unless it was asked for before
   * @returns the lease's number
   */
  track(it: It, token: Token, size = 0, capacity = 0, acquired = new Stack()): number {
    const since = now();
    do {
      this.#lastId = (this.#lastId + 1) % IDS;
    } while (this.#tracked.has(this.#lastId));
    const id = this.#lastId;
    const record = new LeaseRecord(this.#thing, this.#owner.name, size, capacity, since, acquired);
    this.#tracked.set(id, { it, record });
    if (!this.#settles) outside(() => setImmediate(() => this.#settle()).unref());
    this.#settles = true;
    this.#fresh.set(id, token);
    return id;
  }

  /** The tokens of this turn of the event loop, by number. */
  get fresh(): ReadonlyMap<number, Token> {
    return this.#fresh;
  }

  /** Watches the leases still out. Their stacks turn to text: what a frame refers to may be who has the lease. */
  #settle(): void {
    this.#settles = false;
    for (const [id, token] of this.#fresh) {
      this.#owner.settling?.(id, token);
      const tracked = this.#tracked.get(id);
      if (tracked === undefined) continue;
      void tracked.record.acquired.frames;
      watch(token, this, id, token);
    }
    this.#fresh.clear();
    this.#owner.outbox.publish();
  }

  /** What is leased by a lease that is out. */
  itOf(id: number): It {
    return (this.#tracked.get(id) as Tracked<It>).it;
  }

  /** The lease goes on with something else. */
  replace(id: number, it: It): void {
    (this.#tracked.get(id) as Tracked<It>).it = it;
  }

  touch(id: number, hint: string): void {
    this.#tracked.get(id)?.record.touch(hint, this.#withStacks ? new Stack() : undefined);
  }

  /** Ends a lease. @returns what it has to remember: where it was acquired, and that it ends here */
  end(id: number, token: Token, how: 'released' | 'handed over'): EndedLease {
    const { record } = this.#forget(id, token);
    this.holds.totalMs += now() - record.since;
    return new EndedLease(record, new Stack(), how);
  }

  /**
   * Ends a lease of this turn which nobody has seen end.
   * @param acquires how many have been made since it was: it is taken to have been out for as long as one of them took
   */
  endUnseen(id: number, token: Token, acquires: number): void {
    const { record } = this.#forget(id, token);
    this.holds.totalMs += (now() - record.since) / Math.max(1, acquires);
  }

  #forget(id: number, token: Token): Tracked<It> {
    const tracked = this.#tracked.get(id) as Tracked<It>;
    this.#tracked.delete(id);
    if (!this.#fresh.delete(id)) unwatch(token);
    this.holds.samples++;
    return tracked;
  }

  /** Reports a leak: the token of a lease was collected, and so was the lease, unreleased. */
  finalize(id: number): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined) return; // The pool was closed meanwhile.
    this.#tracked.delete(id);
    this.collected++;
    const { it, record } = tracked;
    this.#owner.leaked(it);
    const { site } = record.acquired;
    let leak = this.leaks.get(site);
    if (leak === undefined) {
      leak = { ...record.describe(now()), pool: record.pool, count: 0 };
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
    return this.#tracked.size;
  }

  /** Leases that are out and tracked, oldest first. */
  leases(olderThanMs: number): TrackedLease[] {
    const at = now();
    return [...this.#tracked.values()]
      .filter(({ record }) => at - record.since >= olderThanMs)
      .map(({ record }) => record.describe(at));
  }

  /** Where leases were acquired that are out or leaked, as far as they are tracked: the end of a sentence, or nothing. */
  get sites(): string {
    const counts = new Map<string, number>();
    for (const { record } of this.#tracked.values()) {
      const { site } = record.acquired;
      counts.set(site, (counts.get(site) ?? 0) + 1);
    }
    for (const { site, count } of this.leaks.values()) counts.set(site, (counts.get(site) ?? 0) + count);
    if (counts.size === 0) return '';
    return `. Of those that are tracked: ${[...counts].map(([site, count]) => `${count} acquired at ${site}`).join('; ')}`;
  }

  /**
   * For `assertNoLeaks()` of pools of which nothing but leases can be out.
   * @throws `ERR_SLABPOOL_LEAK`
   */
  assertNone(outstanding: number): void {
    if (outstanding === 0) return;
    throw new SlabPoolError(
      'ERR_SLABPOOL_LEAK',
      `expected every lease to be released, but ${outstanding} ${outstanding === 1 ? 'is' : 'are'} out${this.sites}`,
      { pool: this.#owner.name, details: { outstanding } },
    );
  }

  /** From now on nothing is reported. */
  close(): void {
    this.#tracked.clear();
    this.#fresh.clear();
  }
}

/**
 * The option of `trackedLeases()`.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkOlderThan(options: TrackedLeasesOptions | undefined, pool: string): number {
  const { olderThanMs = 0 } = checkOptions('trackedLeases(options)', options, ['olderThanMs'], pool);
  if (typeof olderThanMs !== 'number' || !(olderThanMs >= 0)) {
    const expected = 'a number from 0 (milliseconds)';
    throw invalidArg("trackedLeases(options), option 'olderThanMs'", expected, olderThanMs, pool);
  }
  return olderThanMs;
}
