import { LimitedCall } from './limited-call.js';
import type { ResolvedResourceOptions } from './options.js';
import type { Token } from './slot.js';

/** What checks ask of the pool that they belong to. */
interface CheckingPool<R> {
  readonly name: string;
  readonly options: ResolvedResourceOptions<R>;
  /** The resource works, or not, for this reason. */
  checked(token: Token<R>, passed: boolean, reason: unknown): void;
}

/**
 * Checks are the resources of a pool that are being checked.
 *
 * What       Each ends in `checked`, once. None waits for another.
 * Callers    The pool, for an idle resource that somebody waits for; the outcomes of `check`.
 * Ownership  The check has the token meanwhile.
 */
export class Checks<R> {
  readonly #pool: CheckingPool<R>;
  readonly #all = new Map<Token<R>, LimitedCall<unknown>>();
  /** Calls of `check` so far. */
  total = 0;

  constructor(pool: CheckingPool<R>) {
    this.#pool = pool;
  }

  get size(): number {
    return this.#all.size;
  }

  needs({ slot }: Token<R>, at: number): boolean {
    const { check, checkAfterIdleMs } = this.#pool.options;
    return check !== undefined && at - slot.since >= checkAfterIdleMs;
  }

  /** For one that {@link needs} it. */
  start(token: Token<R>): void {
    const { name, options } = this.#pool;
    const check = options.check as NonNullable<typeof options.check>;
    const { slot } = token;
    slot.state = 'checking';
    this.total++;
    const end = (passed: boolean, reason?: unknown) => {
      this.#all.delete(token);
      this.#pool.checked(token, passed, reason);
    };
    const call = new LimitedCall<unknown>(
      ["option 'check'", name],
      (signal) => check(slot.resource, signal),
      options.openTimeoutMs,
      { done: (result) => end(result !== false), failed: (error) => end(false, error) },
    );
    this.#all.set(token, call);
  }

  abortAll(reason: unknown): void {
    for (const call of [...this.#all.values()]) call.abort(reason);
  }
}
