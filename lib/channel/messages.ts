import type { Limits } from '../base/wait-options.js';
import type { Endpoint } from './endpoint.js';
import type { ReceivedLease } from './received-lease.js';

type Result = IteratorResult<ReceivedLease, undefined>;

const DONE: Result = Object.freeze({ done: true, value: undefined });

/**
 * Messages iterates over those of a channel. It is written by hand since a generator cannot be told to return while it
 * waits: here `return()` and `throw()` end the waiting, and the message that was waited for stays in the channel.
 */
export class Messages implements AsyncIterableIterator<ReceivedLease, undefined> {
  readonly #endpoint: Endpoint;
  readonly #limits: Limits;
  readonly #attempt: (arrived: boolean) => { value: Result } | null;
  #ended = false;

  /** @param take see `Transport.receive()` */
  constructor(endpoint: Endpoint, take: (arrived: boolean) => ReceivedLease | null | undefined, limits: Limits) {
    this.#endpoint = endpoint;
    this.#limits = limits;
    this.#attempt = (arrived) => {
      const value = take(arrived);
      if (value === undefined) return null;
      if (value !== null) return { value: { done: false, value } };
      this.#ended = true;
      return { value: DONE };
    };
  }

  next(): Promise<Result> {
    if (this.#ended) return Promise.resolve(DONE);
    return this.#endpoint.wait('receivers', this.#limits, this.#attempt, this);
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
    this.#endpoint.end('receivers', this, DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
