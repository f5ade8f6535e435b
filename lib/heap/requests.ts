import { type Core, FLUSH_REQUESTS, type Notifiable } from '../core/core.js';
import type { SlabPoolError } from '../errors.js';
import type { Outbox } from '../events.js';
import type { Magazine } from '../lease/magazine.js';
import type { BudgetWaiters } from './budget-waiters.js';
import type { DrainWaiters } from './drain-waiters.js';
import { noteNews } from './keep-alive.js';

interface RequestedHeap {
  readonly core: Core;
  readonly outbox: Outbox;
  readonly magazines: readonly Magazine[];
  readonly waiters: BudgetWaiters;
  readonly drains: DrainWaiters;
  readonly closed: boolean;
  flushAll(): void;
  /** Why nothing is given out any more. */
  ended(): SlabPoolError;
}

/** What the other threads of the pool ask of this one, and what it does about it: flush requests, and grants that have come. */
export class Requests implements Notifiable {
  readonly #heap: RequestedHeap;
  /** Nothing is given out any more. */
  draining = false;
  /** Others wait for budget, so that what is released goes straight to the core: the magazines are bypassed. */
  bypassed = false;

  constructor(heap: RequestedHeap) {
    this.#heap = heap;
  }

  /** There may be grants, or a flush request. */
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
    // Nobody waits for pages to go back but who has asked for it.
    else if (request !== FLUSH_REQUESTS.flush) core.trimSoon();
  }

  /** The pool drains. */
  giveNothing(): void {
    if (this.draining) return;
    this.draining = true;
    this.#heap.waiters.failAll(() => this.#heap.ended());
  }

  /** While anybody waits for budget, nothing stays in magazines. */
  bypass(bypassed: boolean): void {
    if (bypassed === this.bypassed) return;
    this.bypassed = bypassed;
    if (bypassed) this.#heap.flushAll();
    for (const magazine of this.#heap.magazines) magazine.bypass(bypassed);
  }
}
