import { invalidArg } from '../../errors.js';
import { assertChunk, type Chunk } from '../chunk.js';
import { PullSource } from '../pull-source.js';

/** Chunks one after the other: a `ChunkSource`, or anything that yields chunks. */
export type Chunks = AsyncIterable<Chunk> | Iterable<Chunk>;

/**
 * Takes chunks from a source that may be left at any time.
 *
 * What       {@link next} settles at once when the cursor is closed; a chunk that comes afterwards is released.
 * Callers    One consumer, and whoever closes it.
 * Ownership  The source is the cursor's; each chunk is whoever got it from `next()`'s.
 */
export class ChunkCursor {
  readonly #iterator: AsyncIterator<Chunk> | Iterator<Chunk>;
  readonly #what: string;
  /** Whether the source can be closed while it is asked. */
  readonly #prompt: boolean;
  #over = false;
  #closed: Promise<void> | null = null;
  #wake: ((none: null) => void) | null = null;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(source: Chunks, what: string) {
    const { [Symbol.asyncIterator]: async, [Symbol.iterator]: sync } = (source ?? {}) as AsyncIterable<Chunk> &
      Iterable<Chunk>;
    if (typeof async === 'function') this.#iterator = async.call(source);
    else if (typeof sync === 'function' && typeof source === 'object') this.#iterator = sync.call(source);
    else throw invalidArg(what, 'a ChunkSource, or an iterable of chunks', source);
    this.#what = what;
    this.#prompt = source instanceof PullSource;
  }

  /**
   * The next chunk; null at the end, and once closed. Not again before it has settled.
   * @throws what the source does
   */
  async next(): Promise<Chunk | null> {
    if (this.#over) return null;
    try {
      return await new Promise<Chunk | null>((resolve, reject) => {
        this.#wake = resolve;
        this.#ask().then((result) => resolve(this.#got(result)), reject);
      });
    } finally {
      this.#wake = null;
    }
  }

  async #ask(): Promise<IteratorResult<Chunk>> {
    let result: IteratorResult<Chunk>;
    try {
      result = await this.#iterator.next();
    } catch (error) {
      if (this.#over) return { done: true, value: undefined };
      this.#over = true;
      throw error;
    }
    if (result.done || this.#over) return result;
    try {
      assertChunk(result.value, this.#what);
    } catch (error) {
      this.#over = true;
      await this.#iterator.return?.();
      throw error;
    }
    return result;
  }

  #got(result: IteratorResult<Chunk>): Chunk | null {
    if (this.#over) {
      if (!result.done) result.value?.[Symbol.dispose]?.();
      return null;
    }
    if (!result.done) return result.value;
    this.#over = true;
    return null;
  }

  /** The source is left, unless it has ended. Does not wait for a generator that is waiting for something else. */
  close(): Promise<void> {
    this.#closed ??= this.#over ? Promise.resolve() : this.#leave();
    return this.#closed;
  }

  async #leave(): Promise<void> {
    this.#over = true;
    const wake = this.#wake;
    const left = (async () => {
      await this.#iterator.return?.();
    })();
    wake?.(null);
    if (wake !== null && !this.#prompt) left.catch(() => {});
    else await left;
  }
}
