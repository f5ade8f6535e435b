import type { Endpoint, Waiter } from './endpoint.js';
import type { ReceivedLease } from './received-lease.js';
import type { Limits } from './wait-options.js';

type Result = IteratorResult<ReceivedLease, undefined>;

const DONE: Result = Object.freeze({ done: true, value: undefined });

/**
 * The messages of a channel, one after the other. Written by hand since a generator cannot be told to return while it waits: here
 * `return()` and `throw()` end the waiting, and the message that was waited for stays in the channel.
 */
export class Messages implements AsyncIterableIterator<ReceivedLease, undefined> {
  readonly #endpoint: Endpoint;
  /** The next lease; undefined when there is none now, null when there never will be. */
  readonly #take: () => ReceivedLease | null | undefined;
  readonly #limits: Limits;
  readonly #pending = new Set<Waiter<Result>['attempt']>();
  #ended = false;

  constructor(endpoint: Endpoint, take: () => ReceivedLease | null | undefined, limits: Limits) {
    this.#endpoint = endpoint;
    this.#take = take;
    this.#limits = limits;
  }

  async next(): Promise<Result> {
    if (this.#ended) return DONE;
    const attempt = () => {
      const value = this.#take();
      if (value === undefined) return null;
      return { value: value === null ? DONE : { done: false as const, value } };
    };
    this.#pending.add(attempt);
    try {
      const result = await this.#endpoint.wait<Result>('receivers', this.#limits, attempt);
      if (result === DONE) this.#ended = true;
      return result;
    } catch (error) {
      this.#ended = true;
      throw error;
    } finally {
      this.#pending.delete(attempt);
    }
  }

  async return(): Promise<Result> {
    this.#end();
    return DONE;
  }

  async throw(error: unknown): Promise<never> {
    this.#end();
    throw error;
  }

  #end(): void {
    this.#ended = true;
    for (const attempt of this.#pending) this.#endpoint.end('receivers', attempt, DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
