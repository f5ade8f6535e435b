import { abortReason, checkSignal, onAbort } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import { invalidArg, SlabPoolError } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import { BufferPool } from '../../pool.js';
import { type Chunk, type ChunkSource, owned } from '../chunk.js';
import { type ByteInput, type Feed, openFeed } from './byte-input.js';
import { ChunkCursor } from './chunk-cursor.js';

/** Options of {@link collect}. */
export interface CollectOptions {
  /** How many bytes come: an integer from 0, such as a `content-length`. Default: nobody knows. */
  length?: number;
  /** The most there may be: an integer from 0. Default: 1 MiB. */
  maxBytes?: number;
  /** Ends it: the input is destroyed or cancelled, and the promise rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

/** Bytes that an input of unknown length gets at first. */
const FIRST_BYTES = 16_384;

/** The bytes of chunks, which are released when the next is asked for. */
class ChunkFeed implements Feed {
  readonly queue: Uint8Array[] = [];
  readonly #cursor: ChunkCursor;
  #chunk: Chunk | null = null;

  constructor(source: ChunkSource, what: string) {
    this.#cursor = new ChunkCursor(source, what);
  }

  async more(): Promise<boolean> {
    this.#release();
    const chunk = await this.#cursor.next();
    if (chunk === null) return false;
    this.#chunk = chunk;
    this.queue.push(chunk.bytes.subarray(chunk.start, chunk.end));
    return true;
  }

  #release(): void {
    this.#chunk?.[Symbol.dispose]();
    this.#chunk = null;
  }

  cancel(): Promise<void> {
    this.#release();
    return this.#cursor.close();
  }
}

/** The body that {@link collect} makes: one lease, which is replaced by a larger one where nobody knew the length. */
class Body {
  readonly #pool: BufferPool;
  readonly #length: number | undefined;
  readonly #most: number;
  #lease: Lease | null = null;
  #end = 0;

  constructor(pool: BufferPool, length: number | undefined, maxBytes: number) {
    this.#pool = pool;
    this.#length = length;
    this.#most = length ?? maxBytes;
  }

  async begin(signal: AbortSignal | undefined): Promise<void> {
    const size = this.#length ?? Math.min(this.#most, FIRST_BYTES);
    this.#lease = await this.#pool.acquireAsync(size, signal === undefined ? undefined : { signal });
  }

  add(piece: Uint8Array): void {
    const end = this.#end + piece.length;
    if (end > this.#most) throw tooLong(this.#pool.name, end, this.#most, this.#length === undefined);
    const lease = this.#lease as Lease;
    if (end > lease.capacity) {
      // Not waited for: several that hold a part each would wait for one another.
      const larger = this.#pool.acquire(Math.min(this.#most, Math.max(end, 2 * lease.capacity)));
      lease.bytes.copy(larger.bytes, 0, 0, this.#end);
      this.#lease = larger;
      lease.release();
    }
    (this.#lease as Lease).bytes.set(piece, this.#end);
    this.#end = end;
  }

  finish(cause?: unknown): Chunk {
    if (this.#length !== undefined && this.#end < this.#length) {
      throw new SlabPoolError('ERR_SLABPOOL_TRUNCATED', `the input ended after ${this.#end} of ${this.#length} bytes`, {
        pool: this.#pool.name,
        details: { offset: 0, givenBytes: this.#end, lengthBytes: this.#length },
        cause,
      });
    }
    const lease = this.#lease as Lease;
    this.#lease = null;
    return owned(lease, 0, this.#end);
  }

  get isShort(): boolean {
    return this.#length !== undefined && this.#end < this.#length;
  }

  drop(): void {
    this.#lease?.[Symbol.dispose]();
    this.#lease = null;
  }
}

function tooLong(pool: string, bytes: number, most: number, isMax: boolean): SlabPoolError {
  const limit = isMax
    ? `more than maxBytes, ${most}: raise it, or read the input in pieces`
    : `of which ${most} were announced`;
  return new SlabPoolError('ERR_SLABPOOL_TOO_LONG', `the input has at least ${bytes} bytes, ${limit}`, {
    pool,
    details: { offset: 0, lengthBytes: bytes, maxBytes: most },
  });
}

/** Whether the error says no more than that an input was cut off. */
function isCut(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET';
}

/**
 * All bytes of an input, such as a request's body, as one chunk. Of a known length they are copied straight into their lease, which is
 * waited for while the budget is exhausted. Of an unknown length they move to a larger lease as they grow, and it fails where that
 * cannot be had.
 *
 * If it fails, the input is destroyed or cancelled; but nothing was done to it if the length is above `maxBytes`, so that a request
 * can be answered.
 * @returns a chunk whose `start` is 0
 * @throws `ERR_SLABPOOL_TOO_LONG`, `ERR_SLABPOOL_TRUNCATED` where fewer than `length` bytes come, `ERR_SLABPOOL_INVALID_ARG`, what the
 * input fails with, the signal's reason, and as `acquire()` and `acquireAsync()`
 */
export async function collect(
  pool: BufferPool,
  source: ChunkSource | ByteInput,
  options?: CollectOptions,
): Promise<Chunk> {
  if (!(pool instanceof BufferPool)) throw invalidArg('collect(pool, source), pool', 'a BufferPool', pool);
  const call = 'collect(pool, source, options)';
  const {
    length,
    maxBytes = 1_048_576,
    signal,
  } = checkOptions(call, options, ['length', 'maxBytes', 'signal'], pool.name);
  const expected = 'an integer from 0 (bytes)';
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    throw invalidArg(`${call}, option 'maxBytes'`, expected, maxBytes, pool.name);
  }
  if (length !== undefined && (!Number.isSafeInteger(length) || length < 0)) {
    throw invalidArg(`${call}, option 'length'`, expected, length, pool.name);
  }
  checkSignal(call, signal, pool.name);
  if (length !== undefined && length > maxBytes) throw tooLong(pool.name, length, maxBytes, true);
  const what = 'collect(pool, source), source';
  const feed = isSource(source) ? new ChunkFeed(source, what) : openFeed(source, FIRST_BYTES, what, pool.name);
  const body = new Body(pool, length, maxBytes);
  const forget =
    signal && !signal.aborted && onAbort(signal, () => void feed.cancel(abortReason(signal)).catch(() => {}));
  try {
    await body.begin(signal);
    const { queue } = feed;
    while (queue.length > 0 || (await feed.more())) {
      for (const piece of queue) body.add(piece);
      queue.length = 0;
    }
    if (signal?.aborted) throw abortReason(signal);
    return body.finish();
  } catch (error) {
    await feed.cancel(error).catch(() => {});
    if (!signal?.aborted && body.isShort && isCut(error)) return body.finish(error);
    throw error;
  } finally {
    if (forget) forget();
    body.drop();
  }
}

function isSource(source: ChunkSource | ByteInput): source is ChunkSource {
  return (source as Partial<ChunkSource> | null)?.pool instanceof BufferPool;
}
