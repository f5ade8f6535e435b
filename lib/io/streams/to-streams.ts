import { Readable } from 'node:stream';
import type { ReadableStream as WebStream } from 'node:stream/web';
import type { Bytes } from '../../base/runtime.js';
import type { Chunk } from '../chunk.js';
import { ChunkCursor, type Chunks } from './chunk-cursor.js';

/** A copy, and the chunk is released. */
function copied(chunk: Chunk): Bytes {
  const copy = Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end));
  chunk[Symbol.dispose]();
  return copy;
}

/** The next chunk that has bytes, or null at the end. */
async function nextFull(cursor: ChunkCursor): Promise<Chunk | null> {
  for (;;) {
    const chunk = await cursor.next();
    if (chunk === null || chunk.end > chunk.start) return chunk;
    chunk[Symbol.dispose]();
  }
}

/**
 * A Node stream of copies of the source's chunks, each of which is released at once. Destroying the stream closes the source.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function toReadable(source: Chunks): Readable {
  const cursor = new ChunkCursor(source, 'toReadable(source)');
  return new Readable({
    read() {
      nextFull(cursor).then(
        (chunk) => this.push(chunk === null ? null : copied(chunk)),
        (error) => this.destroy(error),
      );
    },
    destroy: (error, done) => leave(cursor, error, done),
  });
}

/** Ends a stream with its own error, if it has one, or that of closing the source. */
function leave(cursor: ChunkCursor, error: Error | null, done: (error: Error | null) => void): void {
  cursor.close().then(
    () => done(error),
    (other) => done(error ?? other),
  );
}

/** Chunks whose memory a stream has handed out, or still has; see {@link toReadableUnsafe}. */
class HandedOut {
  readonly #chunks: Chunk[] = [];
  #bytes = 0;

  add(chunk: Chunk): Bytes {
    this.#chunks.push(chunk);
    this.#bytes += chunk.end - chunk.start;
    return chunk.bytes.subarray(chunk.start, chunk.end);
  }

  /** Releases those of which the stream has nothing any more. */
  release(buffered: number): void {
    for (;;) {
      const last = this.#bytes - buffered;
      const first = this.#chunks[0];
      if (first === undefined || first.end - first.start > last) return;
      this.#chunks.shift();
      this.#bytes -= first.end - first.start;
      first[Symbol.dispose]();
    }
  }
}

/**
 * A Node stream of the chunks' own memory: nothing is copied. It reads nothing ahead, and a chunk is released when the stream is asked
 * for more and has nothing of that chunk itself any more, or is destroyed. So the bytes are good
 *
 * - in `for await`, until the end of the loop's body;
 * - in a `data` listener, until it returns; if it pauses the stream, until it resumes it;
 * - of what `read()` returns, until the next `read()`, or the next turn of a stream that flows.
 *
 * Not for `pipe()` and `pipeline()`, whose destination writes on when the next chunk comes (that is what `pump()` is for), and not for
 * parsers that keep views of their input.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function toReadableUnsafe(source: Chunks): Readable {
  const cursor = new ChunkCursor(source, 'toReadableUnsafe(source)');
  const out = new HandedOut();
  return new Readable({
    highWaterMark: 0,
    read() {
      out.release(this.readableLength);
      nextFull(cursor).then(
        (chunk) => {
          if (chunk === null) this.push(null);
          else if (this.destroyed) chunk[Symbol.dispose]();
          else this.push(out.add(chunk));
        },
        (error) => this.destroy(error),
      );
    },
    destroy: (error, done) => {
      out.release(0);
      leave(cursor, error, done);
    },
  });
}

/**
 * A web stream of bytes: a reader's own view is filled (`getReader({ mode: 'byob' })`), other readers get copies. Nothing is read ahead.
 * Cancelling the stream closes the source.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function toWeb(source: Chunks): WebStream<Uint8Array> {
  const cursor = new ChunkCursor(source, 'toWeb(source)');
  let chunk: Chunk | null = null;
  let at = 0;
  let cancelled = false;
  return new ReadableStream<Uint8Array>({
    type: 'bytes',
    async pull(given) {
      const controller = given as ReadableByteStreamController;
      if (chunk === null) {
        const next = await nextFull(cursor);
        if (cancelled) return next?.[Symbol.dispose]();
        if (next === null) {
          controller.close();
          controller.byobRequest?.respond(0);
          return;
        }
        chunk = next;
        at = next.start;
      }
      const { bytes, end } = chunk;
      const request = controller.byobRequest;
      const view = request?.view ?? null;
      const n = view === null ? end - at : Math.min(view.byteLength, end - at);
      const from = bytes.subarray(at, at + n);
      at += n;
      if (view === null) controller.enqueue(Uint8Array.from(from));
      else new Uint8Array(view.buffer, view.byteOffset, n).set(from);
      if (at === end) {
        chunk[Symbol.dispose]();
        chunk = null;
      }
      if (view !== null) request?.respond(n);
    },
    async cancel() {
      cancelled = true;
      chunk?.[Symbol.dispose]();
      chunk = null;
      await cursor.close();
    },
  });
}

/**
 * Copies of the source's chunks, each of which is released at once. Leaving the loop closes the source.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function toIter(source: Chunks): AsyncIterable<Bytes> {
  return copies(new ChunkCursor(source, 'toIter(source)'));
}

async function* copies(cursor: ChunkCursor): AsyncGenerator<Bytes, void> {
  try {
    for (let chunk = await nextFull(cursor); chunk !== null; chunk = await nextFull(cursor)) yield copied(chunk);
  } finally {
    await cursor.close();
  }
}
