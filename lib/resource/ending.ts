import { abortReason } from '../base/abort.js';
import { keepAlive, letEnd, type Waiting } from '../base/keep-alive.js';
import { type Limits, watchLimits } from '../base/wait-options.js';
import { SlabPoolError } from '../errors.js';

/** What the end asks of the pool that it is the end of. */
interface EndingPool {
  readonly name: string;
  readonly size: number;
  readonly used: number;
  readonly closings: { readonly late: number };
  readonly log: { readonly sites: string };
  readonly othersMayServe: boolean;
  shut(): void;
  takeAwayUsed(): void;
}

/**
 * The end of a pool: everything is closed, and what is used as soon as it comes back, or when the time for that is up.
 *
 * What       {@link begin} for each call of `close()`, with the limits of each.
 * Callers    `ResourcePool.close()`; the pool, when something is gone.
 * Ownership  While anybody waits for it, the pool is kept, and the thread as long as something ends by itself.
 */
export class Ending implements Waiting {
  readonly #pool: EndingPool;
  #begun = false;
  /** Whether nothing is left. */
  over = false;
  #end!: () => void;
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(pool: EndingPool) {
    this.#pool = pool;
  }

  /** Fulfilled when nothing is left. Rejected then if `limits` were reached before all leases had come back. */
  async begin(limits: Limits): Promise<void> {
    if (!this.#begun) {
      this.#begun = true;
      keepAlive(this);
      this.#pool.shut();
    }
    const failures: unknown[] = [];
    const force = (reason: unknown) => {
      if (this.#pool.used === 0) return;
      failures.push(reason);
      this.#pool.takeAwayUsed();
    };
    const expired = () => force(this.#stillOut(limits.timeout));
    if (limits.signal?.aborted) force(abortReason(limits.signal));
    else if (limits.timeout === 0) expired();
    const watch = limits.signal?.aborted ? undefined : watchLimits(limits, expired, force);
    await this.#ended;
    watch?.end();
    if (failures.length > 0) throw failures[0];
  }

  /** Something is gone. */
  check(): void {
    if (this.over || this.#pool.size + this.#pool.closings.late > 0) return;
    this.over = true;
    letEnd(this);
    this.#end();
  }

  #stillOut(timeoutMs: number): SlabPoolError {
    const { name, used, log } = this.#pool;
    return new SlabPoolError(
      'ERR_SLABPOOL_TIMEOUT',
      `not all leases were released within ${timeoutMs} ms: ${used} ${used === 1 ? 'was' : 'were'} out${log.sites}. The pool is ` +
        'closed, and their resources are, under those who use them',
      { pool: name, details: { timeoutMs, outstanding: used } },
    );
  }

  get othersMayServe(): boolean {
    return this.#pool.othersMayServe;
  }

  get description(): string {
    return `pool '${this.#pool.name}', close(), while ${this.#pool.used} leases are out`;
  }
}
