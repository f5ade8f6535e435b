import { keepAlive, letEnd, type Waiting } from '../base/keep-alive.js';
import { type Limits, watchLimits } from '../base/wait-options.js';
import { SlabPoolError } from '../errors.js';
import { type LeasingHeap, stillOut } from './outstanding.js';

/** What those who wait for the end ask of the heap that they belong to. */
interface DrainedHeap extends LeasingHeap {
  readonly name: string;
  /** Whether nothing is out any more, as far as this thread can know. */
  readonly drained: boolean;
  /** From now on the pool gives nothing out, in any thread. */
  drain(): void;
}

/** A call that waits for the end. */
interface Waiter {
  done(): void;
  fail(reason: unknown): void;
}

/**
 * Drain waiters are the calls of `drain()` in this thread: they wait until the last lease, ticket and message of the
 * pool is back.
 *
 * What       {@link begin} stops the giving out, in all threads; those that still wait are resolved when nothing is out
 *            any more.
 * Callers    `BufferPool.drain()`; {@link check} by {@link Notifications}, and when an oversize buffer was dropped.
 * Ownership  While anybody waits, the pool is kept, and the thread as long as others may bring the rest back:
 *            `keepAlive()`.
 */
export class DrainWaiters implements Waiting {
  readonly #heap: DrainedHeap;
  readonly #waiters = new Set<Waiter>();

  constructor(heap: DrainedHeap) {
    this.#heap = heap;
  }

  /** From now on the pool gives nothing out, in any thread. Resolves when nothing is out any more. */
  begin(limits: Limits): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = () => {
        this.#waiters.delete(waiter);
        if (this.#waiters.size === 0) letEnd(this);
        limit.end();
      };
      const waiter: Waiter = {
        done() {
          settle();
          resolve();
        },
        fail(reason) {
          settle();
          reject(reason);
        },
      };
      const expired = () => waiter.fail(this.#stillOut(limits.timeout));
      const limit = watchLimits(limits, expired, waiter.fail);
      this.#waiters.add(waiter);
      keepAlive(this);
      this.#heap.drain();
      if (limits.timeout === 0 && this.#waiters.has(waiter)) expired();
    });
  }

  /** Settles all if nothing is out any more. Called when something came back. */
  check(): void {
    if (this.#waiters.size === 0 || !this.#heap.drained) return;
    for (const { done } of this.#waiters) done();
  }

  /** Rejects all: the pool is about to be closed. */
  failAll(): void {
    if (this.#waiters.size === 0) return;
    const { list, sites, details } = stillOut(this.#heap);
    const message = `it was closed before it was drained: still out are ${list}${sites}`;
    const reason = () => new SlabPoolError('ERR_SLABPOOL_CLOSED', message, { pool: this.#heap.name, details });
    for (const { fail } of this.#waiters) fail(reason());
  }

  #stillOut(timeoutMs: number): SlabPoolError {
    const { list, sites, details } = stillOut(this.#heap);
    return new SlabPoolError(
      'ERR_SLABPOOL_TIMEOUT',
      `not drained within ${timeoutMs} ms: still out are ${list}${sites}. Nothing is given out any more: have them released, ` +
        'received or adopted, and drain() again, or close()',
      { pool: this.#heap.name, details: { timeoutMs, ...details } },
    );
  }

  get othersMayServe(): boolean {
    return this.#heap.core.othersMayServe;
  }

  get description(): string {
    return `pool '${this.#heap.name}', drain(), while still out are ${stillOut(this.#heap).list}`;
  }
}
