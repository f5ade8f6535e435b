import { clearTimeout, setTimeout } from 'node:timers';
import { now, outside } from '../base/runtime.js';
import { events, type Outbox, type ResourceOpenedEvent, type ResourceOpenFailedEvent } from '../events.js';
import type { Breaker } from './breaker.js';
import { LimitedCall } from './limited-call.js';
import type { ResolvedResourceOptions } from './options.js';
import type { Slot } from './slot.js';

/** The first retry comes within this time, in milliseconds; each one after it may take twice as long, up to the longest. */
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5000;

/** What openings ask of the pool that they belong to. */
interface OpeningPool<R> {
  readonly name: string;
  readonly outbox: Outbox;
  readonly breaker: Breaker;
  readonly options: ResolvedResourceOptions<R>;
  /** Whether nothing is to be opened any more. */
  readonly closing: boolean;
  opened(slot: Slot<R>): void;
  /** It is given up. */
  notOpened(slot: Slot<R>, error: unknown, attempts: number): void;
  /** What was opened when it had been given up. */
  openedLate(resource: R): void;
}

/** One resource that is being opened. */
interface Opening {
  /** Ends it: now, if it rests between two attempts, or when the one at hand has ended. */
  abort(reason: unknown): void;
}

/**
 * Openings are the resources of a pool that are being opened, each in as many attempts as it may have.
 *
 * What       Each ends in `opened` or `notOpened`, once. None waits for another.
 * Callers    The pool, which has counted the slot already; and the outcomes of `open`.
 * Ownership  A resource that comes when its attempt has been given up is handed over at once, to be closed.
 */
export class Openings<R> {
  readonly #pool: OpeningPool<R>;
  readonly #all = new Map<Slot<R>, Opening>();
  /** Resources that were opened, but for those that came late. */
  opened = 0;
  /** Calls of `open` that failed. */
  failed = 0;
  /** Milliseconds that those calls took which did not, all together. */
  totalMs = 0;

  constructor(pool: OpeningPool<R>) {
    this.#pool = pool;
  }

  get size(): number {
    return this.#all.size;
  }

  start(slot: Slot<R>): void {
    this.#attempt(slot, 1, this.#pool.breaker.admit());
  }

  #attempt(slot: Slot<R>, attempt: number, probe: boolean): void {
    const { name, options, breaker, outbox } = this.#pool;
    const since = now();
    const call = new LimitedCall<R>(["option 'open'", name], options.open, options.openTimeoutMs, {
      done: (resource) => {
        const at = now();
        this.#all.delete(slot);
        this.opened++;
        this.totalMs += at - since;
        slot.resource = resource;
        slot.openedAt = at;
        slot.expiresAt = at + options.maxLifetimeMs - Math.random() * options.maxLifetimeJitterMs;
        breaker.succeeded();
        outbox.add(events.resourceOpened, {
          pool: name,
          openMs: at - since,
          attempts: attempt,
        } satisfies ResourceOpenedEvent);
        this.#pool.opened(slot);
      },
      failed: (error) => {
        this.failed++;
        // What the pool's end has aborted says nothing.
        if (!this.#pool.closing) breaker.failed(error, probe);
        const retryMs = this.#retryMs(attempt);
        const event: ResourceOpenFailedEvent = { pool: name, error, attempt, retryMs };
        outbox.add(events.resourceOpenFailed, event);
        if (retryMs === undefined) this.#end(slot, error, attempt);
        else this.#rest(slot, error, attempt, retryMs);
        outbox.publish();
      },
      late: (resource) => this.#pool.openedLate(resource),
    });
    this.#all.set(slot, call);
  }

  /** Milliseconds until the next attempt, if there is one. */
  #retryMs(attempt: number): number | undefined {
    const { closing, breaker, options } = this.#pool;
    if (closing || attempt > options.openRetries || breaker.circuit !== 'closed') return undefined;
    return Math.random() * Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (attempt - 1));
  }

  #rest(slot: Slot<R>, error: unknown, attempt: number, ms: number): void {
    const timer = outside(() =>
      setTimeout(() => {
        const { breaker } = this.#pool;
        if (breaker.circuit === 'closed') this.#attempt(slot, attempt + 1, false);
        else this.#end(slot, error, attempt);
        this.#pool.outbox.publish();
      }, ms).unref(),
    );
    this.#all.set(slot, {
      abort: () => {
        clearTimeout(timer);
        this.#end(slot, error, attempt);
      },
    });
  }

  #end(slot: Slot<R>, error: unknown, attempts: number): void {
    this.#all.delete(slot);
    this.#pool.notOpened(slot, error, attempts);
  }

  abortAll(reason: unknown): void {
    for (const opening of [...this.#all.values()]) opening.abort(reason);
  }
}
