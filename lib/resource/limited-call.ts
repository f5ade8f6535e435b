import { clearTimeout, setTimeout } from 'node:timers';
import { outside } from '../base/runtime.js';
import { SlabPoolError } from '../errors.js';

/** Where the outcome of a call goes: one of the first two is called, once; then perhaps the third. Each throws nothing. */
export interface Outcome<T> {
  done(value: T): void;
  /** It threw, or rejected, or has taken too long. */
  failed(error: unknown): void;
  /** It returned this, or resolved to it, when it had taken too long. */
  late?(value: T): void;
}

/**
 * A limited call is one of a function of the program's, which may throw, reject, or never end. It is made in a microtask
 * of its own, so that the function finds the pool at rest, and may do with it whatever it likes.
 */
export class LimitedCall<T> {
  readonly #aborter = new AbortController();
  #expired = false;

  /**
   * @param what the option that the function was, and the pool's name
   * @param ms milliseconds that it may take
   */
  constructor(
    [what, pool]: readonly [string, string],
    call: (signal: AbortSignal) => T | PromiseLike<T>,
    ms: number,
    outcome: Outcome<T>,
  ) {
    outside(() => {
      const expire = () => {
        this.#expired = true;
        const error = new SlabPoolError(
          'ERR_SLABPOOL_TIMEOUT',
          `${what} has not ended within openTimeoutMs, ${ms} ms`,
          {
            pool,
            details: { timeoutMs: ms },
          },
        );
        outcome.failed(error);
        // Last, since listeners may do anything.
        this.#aborter.abort(error);
      };
      // It keeps no process alive: who waits does that.
      const timer = setTimeout(expire, ms).unref();
      const settle = (end: () => void, late?: () => void) => {
        if (this.#expired) return late?.();
        clearTimeout(timer);
        end();
      };
      Promise.resolve()
        .then(() => call(this.#aborter.signal))
        .then(
          (value) =>
            settle(
              () => outcome.done(value),
              () => outcome.late?.(value),
            ),
          (error) => settle(() => outcome.failed(error)),
        );
    });
  }

  /** Asks the function to end. What comes of it is told as ever. */
  abort(reason: unknown): void {
    this.#aborter.abort(reason);
  }
}
