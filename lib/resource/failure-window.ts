import { now } from '../base/runtime.js';

/** A failure window counts the failures of the latest time. */
export class FailureWindow {
  readonly #ms: number;
  /** When they were. */
  #failures: number[] = [];

  /** @param ms its length, in milliseconds */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Failures in the window. */
  get count(): number {
    const at = now();
    this.#failures = this.#failures.filter((since) => at - since < this.#ms);
    return this.#failures.length;
  }

  add(): void {
    this.#failures.push(now());
  }

  clear(): void {
    this.#failures = [];
  }
}
