import { LinkedList } from '../base/linked-list.js';
import { now } from '../base/runtime.js';
import type { Limits } from '../base/wait-options.js';
import { type Waiter, WaitQueue } from '../base/wait-queue.js';
import { closedPool } from '../errors.js';
import { type CloseCause, Outbox } from '../events.js';
import type { Stack } from '../tracking/stack.js';
import { Breaker } from './breaker.js';
import { Checks } from './checks.js';
import { Closings } from './closings.js';
import { Ending } from './ending.js';
import { Openings } from './openings.js';
import type { ResolvedResourceOptions } from './options.js';
import { circuitOpen, exhausted, openFailed, queueFull, timedOut } from './refusals.js';
import { ResourceLease } from './resource-lease.js';
import { Slot, Token } from './slot.js';
import { Sweeper } from './sweeper.js';
import { Watch } from './watch.js';

/**
 * The resources of a pool, each in one of five states, and those who wait for one. docs/resources.md has the picture.
 *
 * What       What becomes ready goes to the first in line, or is idle. Openings and checks are nobody's: there are as many as
 *            somebody waits for, and each serves whoever is first when it has ended.
 * Callers    `ResourcePool` and leases; outcomes of the program's functions and timers, each in a turn of its own. The
 *            program's functions are never called from here: so all is at rest when they are.
 * Ownership  An idle resource's token is in `idle`, that of one that is checked with the check, that of one that is used with
 *            its lease alone.
 * Identity   `size` == `opening` + `checking` + `idle` + `used` + `closing` <= `maxSize`, and `opened` == `checking` + `idle` +
 *            `used` + `closing` + those that were closed.
 */
export class Resources<R> {
  readonly since = now();
  readonly outbox = new Outbox();
  readonly options: ResolvedResourceOptions<R>;
  readonly watch: Watch<R>;
  readonly breaker: Breaker;
  readonly openings: Openings<R>;
  readonly checks: Checks<R>;
  readonly closings: Closings<R>;
  readonly ending: Ending;
  readonly sweeper: Sweeper<R>;
  readonly waiting: WaitQueue<Stack | null, ResourceLease<R>>;
  /** In the order in which they became idle. */
  readonly idle = new LinkedList<Token<R>>();
  readonly #slots = new Set<Slot<R>>();
  /** Whether nothing is leased any more: the pool is closed, or about to be. */
  closing = false;
  used = 0;
  acquires = 0;
  /** Leases that have ended, and how long they took. */
  readonly uses = { count: 0, totalMs: 0 };
  readonly refused = { exhausted: 0, queueFull: 0, circuitOpen: 0, openFailed: 0 };
  readonly peak = { used: 0, waiting: 0 };

  constructor(options: ResolvedResourceOptions<R>) {
    this.options = options;
    this.watch = new Watch(this);
    this.breaker = new Breaker(this, options.breaker);
    this.openings = new Openings(this);
    this.checks = new Checks(this);
    this.closings = new Closings(this);
    this.ending = new Ending(this);
    this.sweeper = new Sweeper(this);
    this.waiting = new WaitQueue<Stack | null, ResourceLease<R>>(this);
    this.sweeper.start();
  }

  get name(): string {
    return this.options.name;
  }

  get size(): number {
    return this.#slots.size;
  }

  get log() {
    return this.watch.log;
  }

  /** A lease at once, of an idle resource that needs no check; or null. */
  tryAcquire(): ResourceLease<R> | null {
    if (this.closing) throw closedPool(this.name, 'ResourcePool');
    // Whoever waits comes first, and what is idle then needs a check.
    if (this.waiting.size > 0) return null;
    const at = now();
    for (let token = this.#nextIdle; token !== null; token = this.#nextIdle) {
      if (at < token.slot.expiresAt) {
        if (this.checks.needs(token, at)) return null;
        this.idle.delete(token);
        return this.#lease(token, at, this.watch.asked(this.used === this.options.maxSize - 1));
      }
      this.#retireIdle(token, 'lifetime');
    }
    return null;
  }

  /** A lease at once, or when there is one for this request. */
  acquire(limits: Limits): ResourceLease<R> | Promise<ResourceLease<R>> {
    const lease = this.tryAcquire();
    if (lease !== null) return lease;
    const { refused, waiting, options } = this;
    if (limits.timeout === 0) throw timedOut(this, 0);
    if (waiting.size >= options.maxWaiting) {
      refused.queueFull++;
      throw queueFull(this);
    }
    if (options.whenExhausted === 'throw' && waiting.size >= options.maxSize - this.used - this.closings.size) {
      refused.exhausted++;
      throw exhausted(this);
    }
    const { promise } = waiting.join(this.watch.asked(this.size >= options.maxSize - 1), limits);
    this.peak.waiting = Math.max(this.peak.waiting, waiting.size);
    this.dispatch();
    this.outbox.publish();
    return promise;
  }

  /** Which idle resource is leased next. */
  get #nextIdle(): Token<R> | null {
    return this.options.order === 'lifo' ? this.idle.last : this.idle.first;
  }

  /** Sees to it that something comes for everybody who waits, as far as it can. */
  dispatch(): void {
    const { waiting, idle, checks, openings, breaker } = this;
    while (waiting.size > 0) {
      const token = this.#nextIdle;
      // An idle one that has to be checked is sooner there than one that is being opened.
      if (token !== null && waiting.size > checks.size) {
        const at = now();
        if (at >= token.slot.expiresAt) {
          this.#retireIdle(token, 'lifetime');
          continue;
        }
        idle.delete(token);
        if (checks.needs(token, at)) checks.start(token);
        else this.#serve(token, at);
      } else if (waiting.size > checks.size + openings.size && this.mayOpen) {
        this.open();
      } else break;
    }
    while (breaker.refuses && waiting.size > checks.size + openings.size) {
      this.refused.circuitOpen++;
      waiting.refuse(waiting.last as Waiter<Stack | null, ResourceLease<R>>, circuitOpen(this));
    }
  }

  /** Whether one more may be opened. */
  get mayOpen(): boolean {
    return this.size < this.options.maxSize && !this.breaker.refuses && !this.closing;
  }

  /** Opens one more. */
  open(): void {
    const slot = new Slot<R>();
    this.#slots.add(slot);
    this.openings.start(slot);
  }

  /** A slot's resource was opened. */
  opened(slot: Slot<R>): void {
    if (this.closing) {
      this.#retire(slot, 'closed');
    } else {
      const token = new Token(slot);
      this.watch.opened(token);
      this.#ready(token, slot.openedAt);
    }
    this.outbox.publish();
  }

  /** A slot's resource could not be opened. The outbox is published afterwards. */
  notOpened(slot: Slot<R>, error: unknown, attempts: number): void {
    this.#gone(slot);
    const { first } = this.waiting;
    if (first !== null) {
      this.refused.openFailed++;
      this.waiting.refuse(first, openFailed(this, error, attempts));
    }
    this.#moveOn();
  }

  openedLate(resource: R): void {
    const slot = new Slot<R>();
    slot.resource = resource;
    slot.openedAt = now();
    slot.why = 'late';
    this.closings.start(slot);
  }

  /** A resource that was idle works, or not. */
  checked(token: Token<R>, passed: boolean, reason: unknown): void {
    if (this.closing) this.#retire(token.slot, 'closed');
    else if (passed) this.#ready(token, now());
    else this.#retire(token.slot, 'check', reason);
    this.dispatch();
    this.outbox.publish();
  }

  /** It goes to the first in line, or is idle. */
  #ready(token: Token<R>, at: number): void {
    if (this.waiting.size > 0) {
      this.#serve(token, at);
      return;
    }
    this.watch.eased();
    token.slot.state = 'idle';
    token.slot.since = at;
    this.idle.push(token);
    this.sweeper.start();
  }

  #serve(token: Token<R>, at: number): void {
    const first = this.waiting.first as Waiter<Stack | null, ResourceLease<R>>;
    this.waiting.serve(first, this.#lease(token, at, first.ask));
  }

  /** @param asked where it was asked for, if it is to be tracked */
  #lease(token: Token<R>, at: number, asked: Stack | null): ResourceLease<R> {
    const { slot } = token;
    slot.state = 'used';
    slot.since = at;
    this.acquires++;
    if (++this.used > this.peak.used) this.peak.used = this.used;
    const lease = new ResourceLease<R>(this, token);
    if (asked !== null) this.watch.track(lease, slot, asked);
    return lease;
  }

  /** The lease of this has ended. */
  putBack(token: Token<R>): void {
    const { slot } = token;
    // Closed under its holder: the pool's end did not wait any longer.
    if (slot.state !== 'used') return;
    const at = now();
    this.#endUse(slot, at);
    if (this.closing) this.#retire(slot, 'closed');
    else if (at >= slot.expiresAt) this.#retire(slot, 'lifetime');
    else this.#ready(token, at);
    this.outbox.publish();
  }

  /** The lease of this has ended, and nobody is to have it any more. */
  destroy({ slot }: Token<R>, reason: unknown): void {
    this.#takeAway(slot, 'destroyed', reason);
    this.outbox.publish();
  }

  /** The lease of this was collected unreleased. The outbox is published afterwards. */
  lost(slot: Slot<R>): void {
    this.#takeAway(slot, 'leaked');
  }

  /** Closes what is used, under those who use it. */
  takeAwayUsed(): void {
    for (const slot of this.#slots) this.#takeAway(slot, 'closed');
  }

  /** From whoever uses it, if anybody does. */
  #takeAway(slot: Slot<R>, why: CloseCause, reason?: unknown): void {
    if (slot.state !== 'used') return;
    this.#endUse(slot, now());
    this.#retire(slot, why, reason);
  }

  #endUse(slot: Slot<R>, at: number): void {
    this.used--;
    this.uses.count++;
    this.uses.totalMs += at - slot.since;
  }

  #retireIdle(token: Token<R>, why: CloseCause): void {
    this.idle.delete(token);
    this.#retire(token.slot, why);
  }

  /** From now on nobody gets the resource any more. */
  #retire(slot: Slot<R>, why: CloseCause, reason?: unknown): void {
    this.watch.closing(slot);
    slot.state = 'closing';
    slot.why = why;
    slot.reason = reason;
    this.closings.start(slot);
  }

  /** A resource was closed, or its `close` was given up. */
  closed(slot: Slot<R>): void {
    if (slot.why !== 'late') this.#gone(slot);
    this.#moveOn();
    this.outbox.publish();
  }

  #gone(slot: Slot<R>): void {
    slot.state = 'gone';
    this.#slots.delete(slot);
  }

  /** There is room for one more. */
  #moveOn(): void {
    if (this.closing) this.ending.check();
    else this.dispatch();
  }

  /** Closes the idle ones, as far as `dueTo` says why. @returns how many */
  retireIdle(dueTo: (token: Token<R>) => CloseCause | null): number {
    let count = 0;
    for (const token of this.idle) {
      const why = dueTo(token);
      if (why === null) continue;
      this.#retireIdle(token, why);
      count++;
    }
    return count;
  }

  /** From now on nothing is leased, and all that is not is closed. */
  shut(): void {
    this.closing = true;
    this.sweeper.stop();
    for (const waiter of this.waiting) this.waiting.refuse(waiter, closedPool(this.name, 'ResourcePool'));
    this.retireIdle(() => 'closed');
    const reason = closedPool(this.name, 'ResourcePool');
    // Listeners of signals may do anything.
    this.checks.abortAll(reason);
    this.openings.abortAll(reason);
    this.ending.check();
  }

  timeout(_: unknown, timeoutMs: number): unknown {
    return timedOut(this, timeoutMs);
  }

  /** One of those who wait has given up. What was on its way for it comes to another one. */
  gaveUp(): void {
    this.outbox.publish();
  }

  /** Openings, checks and closings end by themselves, or are ended. */
  get othersMayServe(): boolean {
    return this.openings.size + this.checks.size + this.closings.size > 0;
  }

  get description(): string {
    const { name, waiting, used, options } = this;
    return `pool '${name}', ${waiting.size} requests, while ${used} of ${options.maxSize} resources are used`;
  }
}
