import { SlabPoolError } from '../errors.js';
import type { Breaker } from './breaker.js';

/** What refusals tell of the pool that refuses. */
interface RefusingPool {
  readonly name: string;
  readonly options: { readonly maxSize: number; readonly maxWaiting: number };
  readonly waiting: { readonly size: number };
  readonly breaker: Breaker;
  readonly used: number;
  readonly checks: { readonly size: number };
  readonly openings: { readonly size: number };
  readonly closings: { readonly size: number };
}

function figures({ options, used, checks, openings, closings, waiting }: RefusingPool) {
  const { maxSize } = options;
  return {
    maxSize,
    used,
    opening: openings.size,
    checking: checks.size,
    closing: closings.size,
    waiting: waiting.size,
  };
}

function state(pool: RefusingPool): string {
  const { maxSize, used, opening, checking, closing, waiting } = figures(pool);
  const others = [
    ...(opening > 0 ? [`${opening} being opened`] : []),
    ...(checking > 0 ? [`${checking} being checked`] : []),
    ...(closing > 0 ? [`${closing} being closed`] : []),
  ];
  return `${[`${used} of ${maxSize} are used`, ...others].join(', ')}; ${waiting} requests wait`;
}

export function timedOut(pool: RefusingPool, timeoutMs: number): SlabPoolError {
  const { lastError } = pool.breaker;
  const failing = lastError === undefined ? '' : '. The latest opening has failed: see the cause';
  return new SlabPoolError(
    'ERR_SLABPOOL_TIMEOUT',
    `no resource within ${timeoutMs} ms: ${state(pool)}. Release leases sooner, wait longer, or raise maxSize${failing}`,
    {
      pool: pool.name,
      details: { timeoutMs, ...figures(pool) },
      ...(lastError === undefined ? {} : { cause: lastError }),
    },
  );
}

export function queueFull(pool: RefusingPool): SlabPoolError {
  const { maxWaiting } = pool.options;
  return new SlabPoolError(
    'ERR_SLABPOOL_QUEUE_FULL',
    `no more requests may wait, since maxWaiting is ${maxWaiting}: ${state(pool)}. Take less work on at once, or raise maxWaiting or maxSize`,
    { pool: pool.name, details: { maxWaiting, ...figures(pool) } },
  );
}

export function exhausted(pool: RefusingPool): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_EXHAUSTED',
    `there is no resource, and none to be opened: ${state(pool)}. Release leases sooner, raise maxSize, or wait (whenExhausted: 'wait')`,
    { pool: pool.name, details: figures(pool) },
  );
}

export function openFailed(pool: RefusingPool, cause: unknown, attempts: number): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_OPEN_FAILED',
    `no resource could be opened in ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}: ${messageOf(cause)}`,
    { pool: pool.name, details: { attempts }, cause },
  );
}

export function circuitOpen(pool: RefusingPool): SlabPoolError {
  const { lastError, retryAfterMs } = pool.breaker;
  return new SlabPoolError(
    'ERR_SLABPOOL_CIRCUIT_OPEN',
    `opening has failed too often lately; the next attempt is in ${Math.ceil(retryAfterMs)} ms. The last failure: ${messageOf(lastError)}`,
    { pool: pool.name, details: { retryAfterMs }, cause: lastError },
  );
}

/** Whatever was thrown. Reading a stranger's properties may run its code, which may throw. */
function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something that cannot be printed';
  }
}
