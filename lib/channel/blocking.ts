import { types } from 'node:util';

/** Endpoints that a channel may have at once, as in the native core. */
export const MAX_ENDPOINTS = 64;

/**
 * Sleepers are the endpoints of a channel that sleep in `receiveSync()`, where no event loop turns that would wake
 * them.
 *
 * What       One word for each endpoint, in memory that all threads of the channel share: 1 from {@link prepare} to
 *            {@link wake}.
 * Callers    The endpoint prepares, arms itself in the core, looks once more and sleeps; whoever has changed the
 *            channel wakes.
 */
export class Sleepers {
  readonly #asleep: Int32Array<SharedArrayBuffer>;

  constructor(memory = new SharedArrayBuffer(MAX_ENDPOINTS * 4)) {
    this.#asleep = new Int32Array(memory);
  }

  /** Whether `value` can be the memory of sleepers, also from another realm. */
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

  /** Blocks the thread until {@link wake}; false when the time is up. */
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
