import { SlabPoolError } from '../errors.js';
import type { BufferPool } from '../pool.js';

/** An `ERR_SLABPOOL_TRUNCATED` of an input that has fewer bytes than its size says. */
export function endedEarly(pool: BufferPool, offset: number, end: number): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_TRUNCATED',
    `the input ended at offset ${offset}, and ${end} was expected: it was cut off, or shrank while it was read`,
    { pool: pool.name, details: { offset, expectedBytes: end } },
  );
}

/** An `ERR_SLABPOOL_TOO_LONG`. @param what that is too long, with its article @param limit the option's name and value */
export function tooLong(pool: BufferPool, what: string, offset: number, limit: number): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_TOO_LONG',
    `${what} at offset ${offset} is longer than maxLength, ${limit} bytes: raise that, or refuse the input`,
    { pool: pool.name, details: { offset, maxLengthBytes: limit } },
  );
}

/** Whether there may be room again when others have released. */
export function isExhausted(error: unknown): boolean {
  return error instanceof SlabPoolError && error.code === 'ERR_SLABPOOL_EXHAUSTED';
}

/** Whether a lease of this size cannot be had now: one of another size, or a later one, may. */
export function isRefused(error: unknown): boolean {
  return isExhausted(error) || (error instanceof SlabPoolError && error.code === 'ERR_SLABPOOL_OVERSIZE');
}
