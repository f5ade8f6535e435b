import { invalidArg } from '../errors.js';
import { foreignLease, lostLease, noLease, releasedLease } from '../lease/misuse.js';
import type { IdleStack, StackOwner } from './idle-stack.js';

/**
 * A lease is the right to use one object until it is released. Each acquire makes a fresh lease, so that a second release is noticed
 * for certain, also when the object has a new owner by then; the object itself is reused.
 */
export class ObjectLease<T extends object> {
  /** Undefined once the lease has ended. */
  #value: T | undefined;
  /** Where the object is released to. */
  readonly #stack: IdleStack<T>;

  /** @internal */
  constructor(value: T, stack: IdleStack<T>) {
    this.#value = value;
    this.#stack = stack;
  }

  /**
   * The object.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  get value(): T {
    return this.#value ?? released(this.#stack);
  }

  /**
   * Whether the lease was released.
   * @throws `ERR_SLABPOOL_INVALID_THIS`; nothing else, whatever has become of the lease
   */
  get released(): boolean {
    if (typeof this !== 'object' || this === null || !(#value in this)) lostLease('released');
    return this.#value === undefined;
  }

  /**
   * Gives the object back, also when the pool was closed meanwhile: then it is destroyed. What `keep` or `reset` throws is thrown on;
   * the lease has ended all the same.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, `ERR_SLABPOOL_INVALID_THIS`
   */
  release(): void {
    // Both comparisons strict: a loose one makes the lease escape, and V8 create it, where it would leave it out.
    if (this === undefined || this === null || !(#value in this)) lostLease('release()');
    const value = this.#value ?? released(this.#stack);
    this.#value = undefined;
    this.#stack.put(value);
  }

  /** `using`: as {@link release}; nothing if it was released before. */
  [Symbol.dispose](): void {
    if (this === undefined || this === null || !(#value in this)) lostLease('[Symbol.dispose]()');
    const value = this.#value;
    if (value === undefined) return;
    this.#value = undefined;
    this.#stack.put(value);
  }

  /**
   * Adds to the record of this lease if it is tracked: how far the program came with it, for `trackedLeases()` and the
   * reports of leaks. The latest 8 are kept.
   * @param hint any text; default: `''`
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_INVALID_THIS`
   */
  touch(hint = ''): void {
    if (typeof this !== 'object' || this === null || !(#value in this)) lostLease('touch()');
    if (this.#value === undefined) released(this.#stack);
    const { owner } = this.#stack;
    if (typeof hint !== 'string') throw invalidArg('touch(hint)', 'a string', hint, owner.name);
    owner.touch(this.#stack, hint);
  }

  /**
   * As `lease.release()`, if the lease is one of `owner`.
   * @internal
   */
  static release<T extends object>(lease: ObjectLease<T>, owner: StackOwner<T>): void {
    if (typeof lease !== 'object' || lease === null || !(#value in lease)) noLease(lease, owner.name);
    const value = lease.#value ?? released(lease.#stack);
    if (lease.#stack.owner !== owner) foreignLease(lease.#stack.owner.name, owner.name);
    lease.#value = undefined;
    lease.#stack.put(value);
  }
}

function released({ ended }: { readonly ended: IdleStack<never>['ended'] }): never {
  throw ended?.misuse() ?? releasedLease('object');
}
