import { types } from 'node:util';

export const MAX_ENDPOINTS = 64;

/** Which endpoints of a channel sleep in `receiveSync()`, in memory that all its threads share: no event loop turns there to wake them. */
export class Sleepers {
  readonly #asleep: Int32Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(MAX_ENDPOINTS * 4)) {
    this.#asleep = new Int32Array(memory);
  }

  /** Whether `value` can be the memory of one, also from another realm. */
  static isMemory(value: unknown): value is SharedArrayBuffer {
    return types.isSharedArrayBuffer(value) && value.byteLength === MAX_ENDPOINTS * 4;
  }

  get memory(): SharedArrayBuffer {
    return this.#asleep.buffer;
  }

  /** From now on {@link wake} ends the next {@link sleep}. */
  prepare(endpoint: number): void {
    Atomics.store(this.#asleep, endpoint, 1);
  }

  /** False when the time is up. */
  sleep(endpoint: number, ms: number): boolean {
    return Atomics.wait(this.#asleep, endpoint, 1, ms) !== 'timed-out';
  }

  done(endpoint: number): void {
    Atomics.store(this.#asleep, endpoint, 0);
  }

  wake(endpoint: number): void {
    if (Atomics.exchange(this.#asleep, endpoint, 0) === 1) Atomics.notify(this.#asleep, endpoint);
  }

  wakeAll(): void {
    for (let endpoint = 0; endpoint < MAX_ENDPOINTS; endpoint++) this.wake(endpoint);
  }
}
