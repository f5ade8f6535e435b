import { type ErrorDetails, invalidArg, SlabPoolError } from '../errors.js';

/** What a lease is of. */
export type LeasedThing = 'buffer' | 'object' | 'resource';

/** What was to be released is no lease. */
export function noLease(given: unknown, pool: string): never {
  throw invalidArg('release(lease)', 'a lease that acquire() returned', given, pool);
}

export function foreignLease(owner: string, pool: string): never {
  throw new SlabPoolError(
    'ERR_SLABPOOL_FOREIGN_LEASE',
    `the lease belongs to pool '${owner}'; release it there, or call lease.release()`,
    { pool },
  );
}

/** `this` is no lease, so nothing was done to any: whoever has it can still release it. */
export function lostLease(member: string): never {
  throw new SlabPoolError(
    'ERR_SLABPOOL_INVALID_THIS',
    `lease.${member} was called on something that is no lease; the lease is still out. A method that is passed as a callback loses its lease: pass ` +
      `() => lease.${member}. Of a lease behind a Proxy, call it on the lease itself`,
  );
}

/** @param known what is known of the lease, as a part of the sentence, and where errors tell of it */
export function releasedLease(
  thing: LeasedThing,
  known: { text: string; pool?: string; details?: ErrorDetails } = { text: '' },
): SlabPoolError {
  const { text, ...context } = known;
  const its = text === '' ? '; its' : `${text}. Its`;
  return new SlabPoolError(
    'ERR_SLABPOOL_LEASE_RELEASED',
    `this lease was released before${its} ${thing} may belong to somebody else by now. Release each lease once, and use ` +
      'nothing of it afterwards',
    context,
  );
}
