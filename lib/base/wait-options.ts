import { clearTimeout, setTimeout } from 'node:timers';
import { invalidArg } from '../errors.js';
import { abortReason, checkSignal, onAbort } from './abort.js';
import { checkOptions } from './check-options.js';

/** The most that `setTimeout` takes, in milliseconds. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Limits of a call that waits. */
export interface WaitOptions {
  /** Ends the waiting; the promise rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
  /**
   * Milliseconds from 0 to 2^31 - 1, or `Infinity`; then the promise rejects with `ERR_SLABPOOL_TIMEOUT`. 0: does not
   * wait at all. Default: `Infinity`, unless the pool has a default of its own.
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
 * Checks the limits that a caller gave.
 * @param what the public function that was called
 * @param byDefault the limits of one who gave none
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkWaitOptions(
  what: string,
  given: WaitOptions | undefined,
  pool: string,
  byDefault: Limits = FOREVER,
): Limits {
  if (given === undefined) return byDefault;
  const { signal, timeout = byDefault.timeout } = checkOptions(what, given, ['signal', 'timeout'], pool);
  checkSignal(what, signal, pool);
  if (typeof timeout !== 'number' || !(timeout >= 0) || (timeout > LONGEST_TIMEOUT && timeout !== Infinity)) {
    const expected = `a number of 0 to ${LONGEST_TIMEOUT} (milliseconds), or Infinity`;
    throw invalidArg(`${what}, option 'timeout'`, expected, timeout, pool);
  }
  return { signal, timeout };
}

/** A limited wait ends when it is told to, or by itself when it has reached one of its limits. */
export abstract class LimitedWait {
  timer: NodeJS.Timeout | undefined;
  #forget: (() => void) | undefined;

  protected abstract expired(): void;
  protected abstract aborted(reason: unknown): void;

  /** Begins to watch the limits; the signal is not aborted. */
  protected watch({ signal, timeout }: Limits): void {
    if (timeout !== Infinity) this.timer = setTimeout(LimitedWait.#expire, timeout, this);
    if (signal !== undefined) this.#forget = onAbort(signal, () => this.aborted(abortReason(signal)));
  }

  static #expire(wait: LimitedWait): void {
    wait.expired();
  }

  /** Ends the watch: nothing is called any more. */
  end(): void {
    clearTimeout(this.timer);
    this.#forget?.();
  }
}

class WatchedWait extends LimitedWait {
  protected readonly expired: () => void;
  protected readonly aborted: (reason: unknown) => void;

  constructor(limits: Limits, expired: () => void, aborted: (reason: unknown) => void) {
    super();
    this.expired = expired;
    this.aborted = aborted;
    this.watch(limits);
  }
}

/** Calls `expired` or `aborted` when a wait that begins now, with a signal that is not aborted, has reached one of its limits. */
export function watchLimits(limits: Limits, expired: () => void, aborted: (reason: unknown) => void): LimitedWait {
  return new WatchedWait(limits, expired, aborted);
}
