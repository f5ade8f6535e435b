import { invalidArg } from '../errors.js';
import { EndedLease } from '../lease/ended-lease.js';
import { foreignLease, lostLease, noLease, releasedLease } from '../lease/misuse.js';
import type { Token } from './slot.js';

/** What a lease asks of the pool that it belongs to. */
export interface LeaseOwner<R> {
  readonly name: string;
  readonly log: {
    touch(id: number, hint: string): void;
    end(id: number, token: ResourceLease<R>, how: 'released'): EndedLease;
  };
  putBack(token: Token<R>): void;
  destroy(token: Token<R>, reason: unknown): void;
}

/**
 * A lease is the right to use one resource until it is released. Each acquire makes a fresh lease, so that a second release is noticed
 * for certain, also when the resource has a new owner by then.
 */
export class ResourceLease<R> {
  readonly #owner: LeaseOwner<R>;
  /** Null once the lease has ended. */
  #token: Token<R> | null;
  /** Of a tracked lease: its number, and once it has ended what tells where that was. */
  #tracked: number | EndedLease | null = null;

  /** @internal */
  constructor(owner: LeaseOwner<R>, token: Token<R>) {
    this.#owner = owner;
    this.#token = token;
  }

  /**
   * The resource: what `open` returned.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  get value(): R {
    return (this.#token ?? released(this.#tracked)).slot.resource;
  }

  /**
   * Whether the lease has ended.
   * @throws `ERR_SLABPOOL_INVALID_THIS`; nothing else, whatever has become of the lease
   */
  get released(): boolean {
    if (typeof this !== 'object' || this === null || !(#token in this)) lostLease('released');
    return this.#token === null;
  }

  /**
   * Gives the resource back, for whoever waits or comes next.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, `ERR_SLABPOOL_INVALID_THIS`
   */
  release(): void {
    if (typeof this !== 'object' || this === null || !(#token in this)) lostLease('release()');
    this.#owner.putBack(ResourceLease.#end(this));
  }

  /**
   * Ends the lease of a resource that is broken, or may be: it is closed, and nobody gets it again.
   * @param reason anything that says why, for `slabpool:resource:closed`
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  destroy(reason?: unknown): void {
    if (typeof this !== 'object' || this === null || !(#token in this)) lostLease('destroy()');
    this.#owner.destroy(ResourceLease.#end(this), reason);
  }

  /**
   * Adds to the record of this lease if it is tracked: how far the program came with it, for `trackedLeases()` and the
   * reports of leaks. The latest 8 are kept.
   * @param hint any text; default: `''`
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_INVALID_THIS`
   */
  touch(hint = ''): void {
    if (typeof this !== 'object' || this === null || !(#token in this)) lostLease('touch()');
    if (this.#token === null) released(this.#tracked);
    if (typeof hint !== 'string') throw invalidArg('touch(hint)', 'a string', hint, this.#owner.name);
    if (this.#tracked !== null) this.#owner.log.touch(this.#tracked as number, hint);
  }

  /**
   * `using`: releases the lease unless it has ended.
   * @throws `ERR_SLABPOOL_INVALID_THIS`
   */
  [Symbol.dispose](): void {
    if (typeof this !== 'object' || this === null || !(#token in this)) lostLease('[Symbol.dispose]()');
    if (this.#token !== null) this.#owner.putBack(ResourceLease.#end(this));
  }

  static #end<R>(lease: ResourceLease<R>): Token<R> {
    const token = lease.#token ?? released(lease.#tracked);
    lease.#token = null;
    if (lease.#tracked !== null) lease.#tracked = lease.#owner.log.end(lease.#tracked as number, lease, 'released');
    return token;
  }

  /**
   * From now on the lease is a tracked one, of that number.
   * @internal
   */
  static track(lease: ResourceLease<unknown>, id: number): void {
    lease.#tracked = id;
  }

  /**
   * As `lease.release()`, if the lease is one of `owner`.
   * @internal
   */
  static release<R>(lease: ResourceLease<R>, owner: LeaseOwner<R>): void {
    if (typeof lease !== 'object' || lease === null || !(#token in lease)) noLease(lease, owner.name);
    if (lease.#token !== null && lease.#owner !== owner) foreignLease(lease.#owner.name, owner.name);
    owner.putBack(ResourceLease.#end(lease));
  }
}

function released(tracked: number | EndedLease | null): never {
  throw tracked instanceof EndedLease ? tracked.misuse() : releasedLease('resource');
}
