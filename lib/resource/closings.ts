import { now } from '../base/runtime.js';
import { type CloseCause, events, type Outbox, type ResourceClosedEvent } from '../events.js';
import { LimitedCall } from './limited-call.js';
import type { ResolvedResourceOptions } from './options.js';
import type { Slot } from './slot.js';

/** What closings ask of the pool that they belong to. */
interface ClosingPool<R> {
  readonly name: string;
  readonly outbox: Outbox;
  readonly options: ResolvedResourceOptions<R>;
  /** It was closed, or its `close` was given up. Publishes the outbox. */
  closed(slot: Slot<R>): void;
}

/**
 * Closings are the resources of a pool that are being closed, and the counts of those that were.
 *
 * What       Each is closed once. One whose `close` fails, or does not end, counts as closed all the same: there is nothing
 *            else to be done with it.
 * Callers    The pool, when nobody can get the resource any more; the outcomes of `close`.
 */
export class Closings<R> {
  readonly #pool: ClosingPool<R>;
  /** Those that count in the pool's size now. */
  size = 0;
  /** Those now that were opened late. */
  late = 0;
  readonly counts: Record<CloseCause, number> = {
    ...{ lifetime: 0, idle: 0, check: 0, destroyed: 0, leaked: 0, trimmed: 0, closed: 0, late: 0 },
  };
  /** Closings that failed, or were given up. */
  failed = 0;

  constructor(pool: ClosingPool<R>) {
    this.#pool = pool;
  }

  start(slot: Slot<R>): void {
    const { name, options, outbox } = this.#pool;
    const { why, resource, reason, openedAt } = slot;
    if (why === 'late') this.late++;
    else this.size++;
    const end = (error?: unknown) => {
      if (why === 'late') this.late--;
      else this.size--;
      this.counts[why]++;
      const event: ResourceClosedEvent = { pool: name, why, reason, ageMs: now() - openedAt, error };
      outbox.add(events.resourceClosed, event);
      this.#pool.closed(slot);
    };
    new LimitedCall<unknown>(["option 'close'", name], () => options.close(resource, why), options.openTimeoutMs, {
      done: () => end(),
      failed: (error) => {
        this.failed++;
        end(error);
      },
    });
  }
}
