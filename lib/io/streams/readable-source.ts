import type { ReadableStream } from 'node:stream/web';
import { checkSignal } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import { BufferPool } from '../../pool.js';
import { type Chunk, type ChunkSource, owned } from '../chunk.js';
import { ByobSource } from './byob-source.js';
import { assertUnlocked, type ByteInput, type Feed, isReadable, isWebStream, openFeed } from './byte-input.js';
import { GuardedSource } from './guarded-source.js';

/** Options of {@link fromReadable}. */
export interface FromReadableOptions {
  /** Bytes of a chunk at most: an integer from 1. Default: 64 KiB. */
  block?: number;
  /** Ends the reading: the input is destroyed or cancelled, and the source rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

/** Copies what comes. A lease is acquired when there is something to copy, so a source that waits holds none. */
class CopySource extends GuardedSource {
  readonly #feed: Feed;
  readonly #block: number;
  /** Bytes of the feed's first piece that were copied. */
  #taken = 0;

  constructor(pool: BufferPool, feed: Feed, block: number, signal: AbortSignal | undefined) {
    super(pool, signal);
    this.#feed = feed;
    this.#block = block;
  }

  protected async fill(signal: AbortSignal): Promise<Chunk | null> {
    const { queue } = this.#feed;
    if (queue.length === 0 && !(await this.#feed.more())) return null;
    const lease = await this.pool.acquireAsync(this.#block, { signal });
    const { bytes } = lease;
    const start = Math.min(this.headroom, this.#block >>> 1);
    let end = start;
    while (queue.length > 0 && end < this.#block) {
      const piece = queue[0];
      const left = piece.length - this.#taken;
      const n = Math.min(left, this.#block - end);
      bytes.set(n === piece.length ? piece : piece.subarray(this.#taken, this.#taken + n), end);
      end += n;
      this.#taken += n;
      if (n < left) break;
      this.#taken = 0;
      queue.shift();
    }
    return owned(lease, start, end);
  }

  protected cancel(reason: unknown): Promise<void> {
    return this.#feed.cancel(reason);
  }
}

/**
 * The bytes of a stream as chunks of `pool`. It is read only when a chunk is asked for, and waits while the budget is exhausted.
 *
 * - A Node stream: what it has at hand is copied into one block; it does not wait to fill it.
 * - A web stream of bytes (`type: 'bytes'`, the body of a `fetch()`): read into the block itself. While it waits, it holds one.
 *   If the stream fails or is cancelled meanwhile, it keeps the memory, and the block is retired.
 * - Another web stream, or an async iterable: each piece is copied.
 *
 * The stream belongs to the source from then on: it is destroyed or cancelled when the source is closed, or the loop left, before its
 * end. After its end it is left as it is, so that a socket can still be written to.
 * @throws `ERR_SLABPOOL_INVALID_ARG`; the source, for text or objects as well, what the stream fails with, the signal's reason, and as
 * `acquireAsync()`
 */
export function fromReadable(pool: BufferPool, readable: ByteInput, options?: FromReadableOptions): ChunkSource {
  if (!(pool instanceof BufferPool)) throw invalidArg('fromReadable(pool, readable), pool', 'a BufferPool', pool);
  const call = 'fromReadable(pool, readable, options)';
  const { block = 65_536, signal } = checkOptions(call, options, ['block', 'signal'], pool.name);
  if (!Number.isSafeInteger(block) || block < 1) {
    throw invalidArg(`${call}, option 'block'`, 'an integer from 1 (bytes)', block, pool.name);
  }
  checkSignal(call, signal, pool.name);
  const what = 'fromReadable(pool, readable), readable';
  if (!isReadable(readable) && isWebStream(readable)) {
    assertUnlocked(readable, what, pool.name);
    const reader = byobReader(readable);
    if (reader !== null) return new ByobSource(pool, reader, block, signal);
  }
  return new CopySource(pool, openFeed(readable, block, what, pool.name), block, signal);
}

/** Null if the stream, which has no reader yet, is not one of bytes. */
function byobReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | null {
  try {
    return stream.getReader({ mode: 'byob' });
  } catch {
    return null;
  }
}
