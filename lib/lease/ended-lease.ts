import { SlabPoolError } from '../errors.js';

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
  /** Name of the pool. */
  readonly pool: string;
  /** Bytes that were asked for. */
  readonly size: number;
  /** Bytes. */
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
    const { acquired, pool, size, capacity } = this.record;
    const { ended } = this;
    return new SlabPoolError(
      'ERR_SLABPOOL_LEASE_RELEASED',
      `this lease was released before: it was acquired at ${acquired.site} and ${this.#how} at ${ended.site}. Its buffer ` +
        'may belong to somebody else by now. Release each lease once, and use nothing of it afterwards',
      {
        pool,
        details: { sizeBytes: size, capacityBytes: capacity, acquiredAt: acquired.text, releasedAt: ended.text },
      },
    );
  }
}
