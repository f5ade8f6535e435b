import { SlabPoolError, type SlabPoolErrorCode } from '../errors.js';

/** What the addon's constructors fail with, by the code of their error. */
const FAILURES: Readonly<Record<string, readonly [SlabPoolErrorCode, string]>> = {
  NO_MEMORY: ['ERR_SLABPOOL_OUT_OF_MEMORY', 'the system refuses the memory, or the address space, for it'],
  TOO_MANY_POOLS: [
    'ERR_SLABPOOL_LIMIT',
    'there are 4096 pools in this process, the most there can be: close() those that are done with',
  ],
  NO_SUCH_POOL: ['ERR_SLABPOOL_CLOSED', 'cannot attach: every thread that had the pool has closed it, or is gone'],
  TOO_MANY_THREADS: ['ERR_SLABPOOL_LIMIT', 'cannot attach: 4095 threads have the pool, the most there can be'],
  TOO_MANY_CHANNELS: [
    'ERR_SLABPOOL_LIMIT',
    'there are 4096 channels in this process, the most there can be: leave() those that are done with',
  ],
  NO_SUCH_CHANNEL: ['ERR_SLABPOOL_CHANNEL_CLOSED', 'no such channel: every thread that had it has left it, or is gone'],
  OTHER_POOL: ['ERR_SLABPOOL_INVALID_ARG', 'the channel is of another pool: attach it with a pool of the same handle'],
  TOO_MANY_ENDPOINTS: [
    'ERR_SLABPOOL_LIMIT',
    'the channel has 64 endpoints, the most there can be at once: leave() one',
  ],
};

/** Our error for one of the addon's. */
export function failure(cause: unknown, pool: string, details?: Record<string, number>): SlabPoolError {
  const context = details === undefined ? { pool, cause } : { pool, cause, details };
  const known = FAILURES[(cause as NodeJS.ErrnoException).code ?? ''];
  return known === undefined
    ? new SlabPoolError('ERR_SLABPOOL_INTERNAL', `the addon failed: ${(cause as Error).message}`, context)
    : new SlabPoolError(...known, context);
}
