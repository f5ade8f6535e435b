import type { Linked } from '../base/linked-list.js';
import type { CloseCause } from '../events.js';

/**
 * What a resource is doing: docs/resources.md has the picture. `'gone'`: it was closed, or could not be opened.
 */
export type SlotState = 'opening' | 'checking' | 'idle' | 'used' | 'closing' | 'gone';

/** A slot is the place of one resource in its pool, from before it is opened until after it was closed. */
export class Slot<R> {
  state: SlotState = 'opening';
  /** Set when it is opened. */
  resource!: R;
  openedAt = 0;
  /** When it is too old. */
  expiresAt = Infinity;
  /** Since when it is idle, or used. */
  since = 0;
  /** Why it is being closed, and for what reason; of one that is. */
  why: CloseCause = 'closed';
  reason: unknown;
}

/**
 * A token is the right to a resource: one for each, for as long as it is open. Whoever has a resource idle or checks it has its
 * token, and while it is leased nothing but the lease has it; a slot does not refer to it. So a lease that is lost takes the token
 * with it, and its collection tells.
 */
export class Token<R> implements Linked<Token<R>> {
  previous: Token<R> | null = null;
  next: Token<R> | null = null;
  readonly slot: Slot<R>;

  constructor(slot: Slot<R>) {
    this.slot = slot;
  }
}
