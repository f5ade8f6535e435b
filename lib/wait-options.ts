import { isAbortSignal } from './abort.js';
import { checkOptions } from './check.js';
import { invalidArg } from './errors.js';

/** What `setTimeout` takes, in milliseconds. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export interface WaitOptions {
  /** Ends the waiting; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /**
   * Milliseconds, at most 2^31 - 1; then the promise rejects with `ERR_SLABPOOL_TIMEOUT`. 0: does not wait at all. Default: `Infinity`.
   */
  timeout?: number;
}

/** {@link WaitOptions} that were checked. */
export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeout: number;
}

const FOREVER: Limits = Object.freeze({ signal: undefined, timeout: Infinity });

/**
 * @param what the public function that was called
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkWaitOptions(what: string, given: WaitOptions | undefined, pool: string): Limits {
  if (given === undefined) return FOREVER;
  const { signal, timeout = Infinity } = checkOptions(what, given, ['signal', 'timeout'], pool);
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw invalidArg(`${what}, option 'signal'`, 'an AbortSignal', signal, pool);
  }
  if (typeof timeout !== 'number' || !(timeout >= 0) || (timeout > LONGEST_TIMEOUT && timeout !== Infinity)) {
    const expected = `a number of 0 to ${LONGEST_TIMEOUT} (milliseconds), or Infinity`;
    throw invalidArg(`${what}, option 'timeout'`, expected, timeout, pool);
  }
  return { signal, timeout };
}
