import { threadId } from 'node:worker_threads';
import { now } from '../base/runtime.js';
import type { Touch } from '../events.js';
import type { AcquiredLease } from '../lease/ended-lease.js';
import type { LeasedThing } from '../lease/misuse.js';
import type { Stack } from './stack.js';

/** Calls of {@link LeaseRecord.touch} that are kept: the latest. */
const MOST_TOUCHES = 8;

/** A lease record is what is known of one tracked lease, from its acquire to its end. */
export class LeaseRecord implements AcquiredLease {
  readonly thing: LeasedThing;
  readonly pool: string;
  readonly size: number;
  readonly capacity: number;
  readonly thread = threadId;
  readonly acquired: Stack;
  /** {@link now} of the acquire. */
  readonly since: number;
  readonly #touches: { hint: string; atMs: number; stack: Stack | undefined }[] = [];

  constructor(thing: LeasedThing, pool: string, size: number, capacity: number, since: number, acquired: Stack) {
    this.thing = thing;
    this.acquired = acquired;
    this.pool = pool;
    this.size = size;
    this.capacity = capacity;
    this.since = since;
  }

  touch(hint: string, stack: Stack | undefined): void {
    if (this.#touches.length === MOST_TOUCHES) this.#touches.shift();
    // Captured frames would keep the lease alive.
    void stack?.frames;
    this.#touches.push({ hint, atMs: now() - this.since, stack });
  }

  /** What is told of the lease, {@link now} being `at`. */
  describe(at: number) {
    const { acquired, size, capacity, since, thread } = this;
    const touches = this.#touches.map(
      ({ hint, atMs, stack }): Touch => ({ hint, atMs, ...(stack === undefined ? {} : { stack: stack.text }) }),
    );
    return { site: acquired.site, stack: acquired.text, size, capacity, ageMs: at - since, thread, touches };
  }
}
