import { type Finalizer, unwatch, watch } from '../base/finalization.js';
import type { Outbox } from '../events.js';
import { LeaseLog } from '../tracking/lease-log.js';
import { Sampling } from '../tracking/sampling.js';
import { Stack } from '../tracking/stack.js';
import type { ResolvedResourceOptions } from './options.js';
import { ResourceLease } from './resource-lease.js';
import type { Slot, Token } from './slot.js';

/** What a watch asks of the pool that it belongs to. */
interface WatchedPool<R> {
  readonly name: string;
  readonly outbox: Outbox;
  readonly options: ResolvedResourceOptions<R>;
  /** The lease of this was collected unreleased, if it is still used: this may be told twice. */
  lost(slot: Slot<R>): void;
}

/**
 * A watch notices leases that are lost, and records of some of them where they were acquired.
 *
 * What       That a lease was lost is known for certain, and costs the lease nothing: what is registered for finalization, once
 *            for each resource, is the resource's token.
 * Callers    The pool, when a resource is opened, leased or closed; {@link watch}.
 */
export class Watch<R> {
  readonly log: LeaseLog<Slot<R>, ResourceLease<R>>;
  /** Refers weakly to the pool, which has idle resources' tokens: whoever drops it unclosed may have it collected with them. */
  readonly #lost: Finalizer<WeakRef<Slot<R>>>;
  readonly #sampling: Sampling;
  #untilSample: number;
  /** Whether one was looked at that takes the last resource, and none has been idle since. */
  #full = false;

  constructor(pool: WatchedPool<R>) {
    const { name, outbox, options } = pool;
    this.log = new LeaseLog(
      { name, outbox, leaked: (slot) => pool.lost(slot) },
      'resource',
      options.leakDetection === 'full',
    );
    this.#lost = lostOf(new WeakRef(pool));
    this.#sampling = new Sampling(options, true);
    this.#untilSample = this.#sampling.interval();
  }

  opened(token: Token<R>): void {
    watch(token, this.#lost, new WeakRef(token.slot), token.slot);
  }

  closing(slot: Slot<R>): void {
    unwatch(slot);
  }

  /**
   * For each lease, when it is asked for.
   * @param last whether it takes the last resource: who has leases then is what somebody will want to know
   * @returns where that is, of one that is to be tracked
   */
  asked(last: boolean): Stack | null {
    if (--this.#untilSample > 0 && (!last || this.#full)) return null;
    this.#full = last;
    if (this.#untilSample <= 0) this.#untilSample = this.#sampling.interval();
    return this.#sampling.tracks() ? new Stack() : null;
  }

  track(lease: ResourceLease<R>, slot: Slot<R>, asked: Stack): void {
    ResourceLease.track(lease, this.log.track(slot, lease, 0, 0, asked));
  }

  /** A resource is idle: there is one left. */
  eased(): void {
    this.#full = false;
  }
}

/** By itself, since closures of one function keep alive whatever any of them refers to. */
function lostOf<R>(pool: WeakRef<WatchedPool<R>>): Finalizer<WeakRef<Slot<R>>> {
  return {
    finalize(slot) {
      const [owner, lost] = [pool.deref(), slot.deref()];
      if (owner === undefined || lost === undefined) return;
      owner.lost(lost);
      owner.outbox.publish();
    },
  };
}
