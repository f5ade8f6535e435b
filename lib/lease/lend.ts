import { SlabPoolError } from '../errors.js';
import type { Lease } from './lease.js';
import type { LeasedThing } from './misuse.js';

/** {@link lend} of a buffer, of which `fn` must not return any memory. */
export function lendBuffer<T>(lease: Lease, fn: (lease: Lease) => T, pool: string): T {
  const { buffer } = lease;
  return lend(lease, fn, (result) => notBorrowed(result, lease, buffer, pool));
}

/** {@link lend} of an object or a resource: `fn` must return neither it nor the lease. */
export function lendValue<L extends Disposable & { readonly value: unknown }, T>(
  lease: L,
  fn: (lease: L) => T,
  thing: Exclude<LeasedThing, 'buffer'>,
  pool: string,
): T {
  const { value } = lease;
  return lend(lease, fn, (result) => {
    const returned: unknown = result;
    if (returned !== lease && (returned !== value || Object(value) !== value)) return result;
    throw new SlabPoolError(
      'ERR_SLABPOOL_BORROWED',
      `borrow(fn): fn returned the ${thing} of its lease, which belongs to the next owner as soon as borrow() returns. Return what was ` +
        'made with it (a method that returns its object, such as set() of a Map, returns it here as well), or acquire() a longer lease',
      { pool },
    );
  });
}

/**
 * Calls `fn` with a lease and releases that when `fn` returns, throws, or the promise that it returned settles.
 * @param check returns what `fn` returns, or its promise resolves to; or throws
 */
function lend<L extends Disposable, T>(lease: L, fn: (lease: L) => T, check: <U>(result: U) => U): T {
  let settles = false;
  try {
    const result = fn(lease);
    if (!isThenable(result)) return check(result);
    // One promise: `finally()` would make three more.
    const released = Promise.resolve(result).then(
      (value) => {
        try {
          return check(value);
        } finally {
          lease[Symbol.dispose]();
        }
      },
      (error) => {
        lease[Symbol.dispose]();
        throw error;
      },
    ) as T;
    settles = true;
    return released;
  } finally {
    if (!settles) lease[Symbol.dispose]();
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * What the callback of `borrow()` returns, or its promise resolves to, unless it lies in the memory that was lent: the next owner
 * writes there. One comparison; what is hidden deeper in the result is not looked for.
 * @param buffer the lease's, before the callback
 * @throws `ERR_SLABPOOL_BORROWED`
 */
function notBorrowed<T>(result: T, lease: Lease, buffer: ArrayBuffer, pool: string): T {
  const memory = ArrayBuffer.isView(result) ? result.buffer : result;
  if (memory !== buffer && (lease.released || memory !== lease.buffer)) return result;
  throw new SlabPoolError(
    'ERR_SLABPOOL_BORROWED',
    'borrow(size, fn): fn returned memory of its lease, which belongs to the next owner as soon as borrow() returns. Return a ' +
      'copy: Buffer.from(lease.view()), Buffer.copyBytesFrom(view), or a string',
    { pool },
  );
}
