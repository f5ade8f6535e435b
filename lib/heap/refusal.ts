import { type Core, EXHAUSTED, OUT_OF_MEMORY } from '../core/core.js';
import { closedPool, internal, SlabPoolError } from '../errors.js';

/**
 * The error of a pool that refuses a block of `capacity` bytes. Its details are the figures at the time when they are
 * read first; a pool that has ended by then has none.
 */
export function refusal(
  core: Core,
  pool: string,
  maxBytes: number,
  capacity: number,
  status: number,
  hasEnded: () => boolean,
): SlabPoolError {
  if (status !== EXHAUSTED && status !== OUT_OF_MEMORY) return internal('refill', status, { capacity }, pool);
  const details = () => {
    const asked = { capacityBytes: capacity, maxBytes };
    return hasEnded() ? asked : { ...asked, waiting: core.waiting, ...whereItIs(core) };
  };
  if (status !== EXHAUSTED) {
    return new SlabPoolError(
      'ERR_SLABPOOL_OUT_OF_MEMORY',
      `the system has no memory for a block of ${capacity} bytes`,
      { pool, details },
    );
  }
  const { waiting, residentBytes } = core;
  if (waiting > 0) {
    return new SlabPoolError(
      'ERR_SLABPOOL_EXHAUSTED',
      `a block of ${capacity} bytes would be ahead of its turn: ${waiting} requests wait for room in maxBytes ${maxBytes}. ` +
        'Join them with acquireAsync(), or raise maxBytes',
      { pool, details },
    );
  }
  return new SlabPoolError(
    'ERR_SLABPOOL_EXHAUSTED',
    `a block of ${capacity} bytes does not fit the budget: of maxBytes ${maxBytes}, ${residentBytes} are in use, and none of ` +
      "them can be given back now (this error's details say what they are). Release leases sooner, or raise maxBytes",
    { pool, details },
  );
}

/** The error of a pool in which `count` blocks cannot be ready at once. */
export function tooMany(
  core: Core,
  pool: string,
  maxBytes: number,
  capacityBytes: number,
  count: number,
  possible: number,
): SlabPoolError {
  const { residentBytes } = core;
  return new SlabPoolError(
    'ERR_SLABPOOL_EXHAUSTED',
    `${count} buffers of ${capacityBytes} bytes do not fit the budget: of maxBytes ${maxBytes}, ${residentBytes} are in use, so ${possible} of ` +
      'them can be ready, and none was made. Ask for those, trim() or release first, or raise maxBytes',
    { pool, details: { capacityBytes, count, possible, maxBytes, residentBytes } },
  );
}

function whereItIs(core: Core) {
  const bytes = {
    leasedBytes: 0,
    inFlightBytes: 0,
    cachedBytes: 0,
    quarantinedBytes: 0,
    retiredBytes: 0,
    pinnedBytes: 0,
  };
  for (const { resident, held, inFlight, quarantined, retired, stride, pinnedBytes } of core.stats()) {
    bytes.leasedBytes += held * stride;
    bytes.inFlightBytes += inFlight * stride;
    bytes.quarantinedBytes += quarantined * stride;
    bytes.retiredBytes += retired * stride;
    bytes.pinnedBytes += pinnedBytes;
    bytes.cachedBytes += (resident - held - inFlight - quarantined - retired) * stride;
  }
  return bytes;
}

export function closedError(pool: string): SlabPoolError {
  return closedPool(pool, 'BufferPool');
}

export function drainingError(pool: string): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_CLOSED',
    'it is being drained (drain() was called, in this thread or another), so nothing new is given out; make a new BufferPool',
    { pool },
  );
}
