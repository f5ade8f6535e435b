import type { SlabPoolError } from '../errors.js';
import { type LeasedThing, releasedLease } from './misuse.js';

/** A call stack: who called, innermost first. */
export interface CallStack {
  readonly frames: readonly string[];
  /** The innermost frame that is not of this package. */
  readonly site: string;
  /** Ready to be printed. */
  readonly text: string;
}

/** What is known of a tracked lease when it ends. */
export interface AcquiredLease {
  readonly thing: LeasedThing;
  /** Name of the pool. */
  readonly pool: string;
  /** Bytes of the buffer that were asked for. */
  readonly size: number;
  /** Bytes of the buffer. */
  readonly capacity: number;
  readonly acquired: CallStack;
}

/** An EndedLease is what a tracked lease has in the place of its magazine once it has ended: it tells where that was. */
export class EndedLease {
  readonly record: AcquiredLease;
  readonly ended: CallStack;
  readonly #how: 'released' | 'handed over';

  constructor(record: AcquiredLease, ended: CallStack, how: 'released' | 'handed over') {
    this.record = record;
    this.ended = ended;
    this.#how = how;
  }

  misuse(): SlabPoolError {
    const { thing, acquired, pool, size, capacity } = this.record;
    const { ended } = this;
    const bytes = thing === 'buffer' ? { sizeBytes: size, capacityBytes: capacity } : {};
    return releasedLease(thing, {
      text: `: it was acquired at ${acquired.site} and ${this.#how} at ${ended.site}`,
      pool,
      details: { ...bytes, acquiredAt: acquired.text, releasedAt: ended.text },
    });
  }
}
