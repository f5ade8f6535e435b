import { SlabPoolError } from './errors.js';
import type { Lease } from './lease/lease.js';

/**
 * What the callback of `borrow()` returns, or its promise resolves to, unless it lies in the memory that was lent: the next owner
 * writes there. One comparison; what is hidden deeper in the result is not looked for.
 * @param buffer the lease's, before the callback
 * @throws `ERR_SLABPOOL_BORROWED`
 */
export function notBorrowed<T>(result: T, lease: Lease, buffer: ArrayBuffer, pool: string): T {
  const memory = ArrayBuffer.isView(result) ? result.buffer : result;
  if (memory !== buffer && (lease.released || memory !== lease.buffer)) return result;
  throw new SlabPoolError(
    'ERR_SLABPOOL_BORROWED',
    'borrow(size, fn): fn returned memory of its lease, which belongs to the next owner as soon as borrow() returns. Return a ' +
      'copy: Buffer.from(lease.view()), Buffer.copyBytesFrom(view), or a string',
    { pool },
  );
}
