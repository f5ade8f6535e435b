import type { BufferPool } from '../pool.js';
import type { Chunk, ChunkSource, ChunkSourceSync } from './chunk.js';

/**
 * Chunks that come when they are asked for, each of which belongs to whoever gets it. Can be gone through once.
 *
 * Callers    One reader, or one iteration.
 */
export abstract class PullSourceSync implements ChunkSourceSync {
  /** The pool that the chunks are of. */
  readonly pool: BufferPool;
  /** As {@link PullSource.headroom}. */
  headroom = 0;

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  /** The next chunk, or null at the end. */
  abstract pull(): Chunk | null;

  /** Closes what was opened here. Any number of times. */
  abstract close(): void;

  [Symbol.iterator](): Iterator<Chunk, undefined> {
    return {
      next: () => {
        const chunk = this.pull();
        return chunk === null ? { done: true, value: undefined } : { done: false, value: chunk };
      },
      return: () => {
        this.close();
        return { done: true, value: undefined };
      },
    };
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * What readers ask of a source.
 *
 * What       {@link pull} hands out the next chunk, at once where it is there. Everything else is made of that.
 * Callers    One reader, or one iteration; one thread.
 * Ownership  A chunk is its source's until `pull()` has returned or resolved to it.
 */
export abstract class PullSource implements ChunkSource {
  readonly pool: BufferPool;
  /**
   * Bytes that a reader wants free before the data of later chunks, for what it carries over from the chunk before. A hint.
   */
  headroom = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(pool: BufferPool) {
    this.pool = pool;
  }

  /** The next chunk, or null at the end. Not called again before its promise has settled. */
  abstract pull(): Chunk | null | Promise<Chunk | null>;

  /** Gives back what was read ahead and can be read again, so that there is room in the budget. */
  shed(): void | Promise<void> {}

  /** Releases everything, when no system call uses it any more, and closes what was opened here. Any number of times. */
  abstract close(): Promise<void>;

  [Symbol.asyncIterator](): AsyncIterator<Chunk, undefined> {
    const inTurn = <T>(action: () => T | Promise<T>): Promise<T> => {
      const turn = this.#turn.then(action);
      this.#turn = turn.catch(() => {});
      return turn;
    };
    return {
      next: () =>
        inTurn(async () => {
          const chunk = await this.pull();
          return chunk === null ? { done: true, value: undefined } : { done: false, value: chunk };
        }),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
