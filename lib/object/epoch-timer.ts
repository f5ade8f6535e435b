import { clearTimeout, setTimeout } from 'node:timers';
import { outside } from '../base/runtime.js';

/**
 * An epoch timer ends the epochs of a pool as long as it is started anew each time. It keeps neither the process nor the
 * pool alive. With an epoch of 0 no epoch ends.
 */
export class EpochTimer {
  readonly #owner: { turn(): void };
  readonly #ms: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(owner: { turn(): void }, ms: number) {
    this.#owner = owner;
    this.#ms = ms;
  }

  /** Whether nothing has to be done for epochs to end. */
  get runs(): boolean {
    return this.#timer !== null || this.#ms === 0;
  }

  start(): void {
    if (this.runs) return;
    // A pool that was dropped is not to be kept by its own timer, so that refers to nothing of it.
    const timer = new WeakRef(this);
    const ms = this.#ms;
    this.#timer = outside(() => setTimeout(() => timer.deref()?.tick(), ms).unref());
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  tick(): void {
    this.#timer = null;
    this.#owner.turn();
  }
}
