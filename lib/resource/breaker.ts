import { now } from '../base/runtime.js';
import { events, type Outbox, type ResourceCircuitEvent } from '../events.js';
import type { Circuit } from '../stats/resource-stats.js';
import { FailureWindow } from './failure-window.js';
import type { ResolvedBreaker } from './options.js';

/** What a breaker asks of the pool that it belongs to. */
interface BreakerOwner {
  readonly name: string;
  readonly outbox: Outbox;
}

/**
 * A breaker keeps a pool from opening resources while that fails: after so many failures in a row the circuit is open,
 * and after a time one opening, the probe, shows whether it can be closed.
 *
 * What       {@link admit} before each opening, {@link succeeded} or {@link failed} after it.
 * Callers    The pool's openings. There are no timers: whoever wants to open something after the time makes the probe.
 * Ownership  Who was admitted as the probe tells how it went, whatever happens.
 */
export class Breaker {
  readonly #owner: BreakerOwner;
  readonly #options: ResolvedBreaker | undefined;
  readonly #window: FailureWindow;
  #opensAgainAt = 0;
  circuit: Circuit = 'closed';
  /** How often the circuit was opened. */
  trips = 0;
  /** What the latest failure was, since the last success. */
  lastError: unknown;

  constructor(owner: BreakerOwner, options: ResolvedBreaker | undefined) {
    this.#owner = owner;
    this.#options = options;
    this.#window = new FailureWindow(options?.windowMs ?? 0);
  }

  /** Milliseconds until a probe is due; 0 if one is. */
  get retryAfterMs(): number {
    return this.circuit === 'closed' ? 0 : Math.max(0, this.#opensAgainAt - now());
  }

  /** Whether nothing may be opened now. */
  get refuses(): boolean {
    return this.circuit === 'half-open' || (this.circuit === 'open' && this.retryAfterMs > 0);
  }

  /** For one that is to be opened, unless the breaker {@link refuses}. @returns whether it is the probe */
  admit(): boolean {
    if (this.circuit === 'closed') return false;
    this.#turn('half-open', this.lastError);
    return true;
  }

  /** @param probe what {@link admit} returned */
  failed(error: unknown, probe: boolean): void {
    this.lastError = error;
    if (this.#options === undefined) return;
    if (this.circuit === 'closed') {
      this.#window.add();
      if (this.#window.count >= this.#options.failures) this.#open(error);
    } else if (probe && this.circuit === 'half-open') {
      this.#open(error);
    }
  }

  succeeded(): void {
    this.lastError = undefined;
    this.#window.clear();
    if (this.circuit !== 'closed') this.#turn('closed', undefined);
  }

  #open(error: unknown): void {
    this.#window.clear();
    this.trips++;
    this.#opensAgainAt = now() + (this.#options as ResolvedBreaker).coolDownMs;
    this.#turn('open', error);
  }

  #turn(circuit: Circuit, error: unknown): void {
    this.circuit = circuit;
    const { name: pool, outbox } = this.#owner;
    outbox.add(events.resourceCircuit, { pool, circuit, error } satisfies ResourceCircuitEvent);
  }
}
