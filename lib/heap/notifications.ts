import { noteNews } from '../base/keep-alive.js';
import { type Core, FLUSH_REQUESTS, type Notifiable } from '../core/core.js';
import type { SlabPoolError } from '../errors.js';
import type { Outbox } from '../events.js';
import type { Magazine } from '../lease/magazine.js';
import type { BudgetWaiters } from './budget-waiters.js';
import type { DrainWaiters } from './drain-waiters.js';

/** What notifications ask of the heap that they belong to. */
interface NotifiedHeap {
  readonly core: Core;
  readonly outbox: Outbox;
  readonly magazines: readonly Magazine[];
  readonly waiters: BudgetWaiters;
  readonly drains: DrainWaiters;
  readonly closed: boolean;
  flushAll(): void;
  /** Why nothing is given out any more. */
  endedError(): SlabPoolError;
}

/**
 * Notifications tell this thread that other threads of the pool want something of it, or have something for it.
 *
 * What       Flush requests are obeyed, grants that have come are handed to those who wait, drains are checked.
 * Callers    The core's notifier, in a turn of the event loop of its own; releases and refills, which learn of requests
 *            on their way.
 * Ownership  The core refers to this object weakly, so that a dropped pool can be collected.
 * Identity   `bypassed` == the `bypassed` of every magazine of this thread.
 */
export class Notifications implements Notifiable {
  readonly #heap: NotifiedHeap;
  /** Whether the pool drains: nothing is given out any more. */
  draining = false;
  /** Whether the magazines are bypassed, since others wait for budget: what is released goes straight to the core. */
  bypassed = false;

  constructor(heap: NotifiedHeap) {
    this.#heap = heap;
  }

  /** Called when there may be grants, or a flush request. */
  notified(): void {
    noteNews();
    this.comply();
    const { closed, core, waiters, drains, outbox } = this.#heap;
    if (closed) return;
    waiters.collect();
    this.bypass(core.waiting > 0 || this.draining);
    drains.check();
    outbox.publish();
  }

  /** Does what this thread is asked for. */
  comply(): void {
    const { core, closed } = this.#heap;
    const request = core.takeFlushRequest();
    if (request === 0 || closed) return;
    this.#heap.flushAll();
    if (request === FLUSH_REQUESTS.drain) this.giveNothing();
    // Only the thread that called trim() waits for its pages to go back; for this one the janitor trims.
    else if (request !== FLUSH_REQUESTS.flush) core.trimSoon();
  }

  /** Called when the pool drains: whoever waits for budget is refused. */
  giveNothing(): void {
    if (this.draining) return;
    this.draining = true;
    this.#heap.waiters.failAll(() => this.#heap.endedError());
  }

  /** Bypasses the magazines, or ends that: while anybody waits for budget, nothing stays in them. */
  bypass(bypassed: boolean): void {
    if (bypassed === this.bypassed) return;
    this.bypassed = bypassed;
    if (bypassed) this.#heap.flushAll();
    for (const magazine of this.#heap.magazines) magazine.bypass(bypassed);
  }
}
