import { formatDuration } from '../base/format.js';
import type { Core } from '../core/core.js';
import { SlabPoolError } from '../errors.js';
import type { Outbox } from '../events.js';
import type { Magazine } from '../lease/magazine.js';
import type { Tracker } from '../tracking/tracker.js';
import type { Oversize } from './oversize.js';

/** What of a pool is not free. */
export interface StillOut {
  /** As a part of a sentence; empty if nothing is out. */
  readonly list: string;
  /** Where this thread's leases were acquired, as far as they are tracked; as a part of a sentence. */
  readonly sites: string;
  readonly details: {
    /** Leases of this thread. */
    readonly outstanding: number;
    /** Blocks that other threads have: leased, or in magazines that they have not emptied yet. */
    readonly elsewhere: number;
    /** Tickets that this thread has sent and nobody has adopted. */
    readonly tickets: number;
    /** Blocks in tickets and messages, of all threads. */
    readonly inFlight: number;
  };
}

/** What tells of a heap's leases. */
export interface LeasingHeap {
  readonly core: Core;
  readonly magazines: readonly Magazine[];
  readonly oversize: Oversize;
  readonly tracker: Tracker;
  /** Leases that this thread has out. */
  outstanding(): number;
}

/** Looks up what is out, of this thread and of the others. */
export function stillOut(heap: LeasingHeap): StillOut {
  const outstanding = heap.outstanding();
  const { core, oversize, magazines, tracker } = heap;
  const list: string[] = [];
  for (const { held, count, capacity } of magazines) {
    const leased = held - count;
    if (leased > 0) list.push(`${leased} of ${capacity} bytes`);
  }
  if (oversize.count > 0) list.push(`${oversize.count} oversize`);
  const elsewhere = core.threads().reduce((sum, { here, held }) => sum + (here ? 0 : held), 0);
  const sent = core.inFlight();
  const inFlight = sent.reduce((sum, { count }) => sum + count, 0);
  const own = sent.find(({ here }) => here);
  const tickets = own?.count ?? 0;
  if (own !== undefined)
    list.push(`${tickets} in tickets of this thread (the oldest for ${formatDuration(own.oldestMs)})`);
  if (elsewhere > 0) list.push(`${elsewhere} with other threads`);
  if (inFlight > tickets) list.push(`${inFlight - tickets} in channels, grants and tickets of other threads`);
  return { list: list.join(', '), sites: tracker.log.sites, details: { outstanding, tickets, elsewhere, inFlight } };
}

/** @throws `ERR_SLABPOOL_LEAK` while leases or tickets of this thread are out */
export function assertNoLeaks(heap: LeasingHeap & { readonly name: string; readonly outbox: Outbox }): void {
  const { list, sites, details } = stillOut(heap);
  const { outstanding, tickets } = details;
  heap.outbox.publish();
  if (outstanding + tickets === 0) return;
  throw new SlabPoolError(
    'ERR_SLABPOOL_LEAK',
    `expected every lease to be released and every ticket to be adopted, but ${outstanding + tickets} are out: ${list}${sites}`,
    { pool: heap.name, details: { outstanding, tickets } },
  );
}
