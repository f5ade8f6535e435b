import { clearTimeout, setTimeout } from 'node:timers';
import { now, outside } from '../base/runtime.js';
import type { CloseCause, Outbox } from '../events.js';
import type { ResolvedResourceOptions } from './options.js';
import type { Token } from './slot.js';

/** How often it looks, in milliseconds, unless one of the limits is shorter. */
const LOOK_MS = 1000;

/** What a sweeper asks of the pool that it belongs to. */
interface SweptPool<R> {
  readonly outbox: Outbox;
  readonly options: ResolvedResourceOptions<R>;
  readonly idle: { readonly size: number };
  readonly openings: { readonly size: number };
  readonly waiting: { readonly size: number };
  readonly mayOpen: boolean;
  retireIdle(dueTo: (token: Token<R>) => CloseCause | null): number;
  open(): void;
}

/**
 * A sweeper looks after a pool's idle resources: closes those that are too old or were idle for too long, and keeps `minIdle` of
 * them. (pgx's health check.)
 *
 * What       One timer, once a second or as often as the shortest of the limits. It keeps no process alive, and runs only while
 *            there is something to look after.
 * Callers    Its timer; {@link start} whenever a resource becomes idle.
 */
export class Sweeper<R> {
  readonly #pool: SweptPool<R>;
  readonly #ms: number;
  /** Whether idle resources are ever closed. */
  readonly #limited: boolean;
  #timer: NodeJS.Timeout | null = null;

  constructor(pool: SweptPool<R>) {
    this.#pool = pool;
    const { maxIdleMs, maxLifetimeMs } = pool.options;
    const limit = Math.min(maxIdleMs, maxLifetimeMs);
    this.#limited = limit !== Infinity;
    this.#ms = Math.min(LOOK_MS, limit);
  }

  /** Starts looking, unless it does already or there is nothing to look after. The first look of a pool with `minIdle` is at once. */
  start(): void {
    if (this.#timer !== null) return;
    const { idle, options } = this.#pool;
    if (options.minIdle > 0) this.#fill();
    if (options.minIdle > 0 || (idle.size > 0 && this.#limited)) {
      this.#timer = outside(() => setTimeout(() => this.#look(), this.#ms).unref());
    }
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #look(): void {
    this.#timer = null;
    const { idle, options, outbox } = this.#pool;
    const at = now();
    this.#pool.retireIdle(({ slot }) => {
      if (at >= slot.expiresAt) return 'lifetime';
      return at - slot.since >= options.maxIdleMs && idle.size > options.minIdle ? 'idle' : null;
    });
    this.start();
    outbox.publish();
  }

  /** Opens what is missing of `minIdle`, beside what those who wait will get. */
  #fill(): void {
    const { idle, openings, waiting, options } = this.#pool;
    const coming = () => idle.size + Math.max(0, openings.size - waiting.size);
    while (coming() < options.minIdle && this.#pool.mayOpen) this.#pool.open();
  }
}
