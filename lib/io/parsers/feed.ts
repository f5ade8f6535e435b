import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { abortReason, checkSignal, onAbort, throwIfAborted } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import type { Bytes } from '../../base/runtime.js';
import { invalidArg } from '../../errors.js';
import type { Chunk, Span } from '../chunk.js';
import { PullSource } from '../pull-source.js';
import { RecordBatch } from '../read/record-batch.js';
import { ChunkCursor, type Chunks } from '../streams/chunk-cursor.js';
import { isWritable, pumpToStream } from '../streams/pump.js';
import { toReadable } from '../streams/to-streams.js';

/**
 * What a parser gets: copies of its own; views of whole records; or views of what comes, however it is cut. `checkParser()` tells which
 * of them a parser is made for.
 */
export type FeedMode = 'copy' | 'records' | 'borrow';

/** What {@link feed} reads: chunks, or batches of records, such as `lines()` has. */
export type FeedInput = Chunks | AsyncIterable<RecordBatch> | Iterable<RecordBatch>;

/** A parser: a Writable, or what is done with its input when `write()` returns, or when the promise that it returns has settled. */
export interface PushParser {
  /** Parses the next bytes. */
  write(bytes: Bytes): unknown;
  /** Nothing comes any more. */
  end?(): unknown;
}

/** Options of {@link feed}. */
export interface FeedOptions {
  /** Whether the parser is ended after the input, and waited for. Default: true. */
  end?: boolean;
  /**
   * Ends it: the input is closed and a stream destroyed, and the promise rejects with `signal.reason`. A promise of a parser that is no
   * stream is waited for, as the bytes are its own until then. Default: none.
   */
  signal?: AbortSignal;
}

const CALL = 'feed(parser, input, mode, options)';
/** Chunks that may be in flight from a source that reads ahead, as with `pump()`. */
const WINDOW = 4;

/**
 * Drives somebody else's parser with what lies in a pool.
 *
 * - `'copy'`: each chunk is copied, and released at once. Right for every parser.
 * - `'records'`: whole records, in place, a batch with each write; released when the write has called back and all that the stream has
 *   made of them was read. For parsers that keep nothing behind a whole record. What they hand out may lie in the input: it is good
 *   until the `data` listener returns.
 * - `'borrow'`: chunks, or batches, in place, released when the write has called back. For parsers that keep no view of their input.
 *
 * If anything fails, or the signal aborts, both sides are closed; everything is released when the promise settles. Somebody has to read
 * what a parser with a readable side makes. An iteration that waits for its own input is left when that comes: give it the signal, too.
 * @returns how many bytes were written
 * @throws `ERR_SLABPOOL_INVALID_ARG`, what the input or the parser fails with, the signal's reason
 */
export async function feed(
  parser: PushParser,
  input: FeedInput,
  mode: FeedMode = 'copy',
  options?: FeedOptions,
): Promise<number> {
  const { end = true, signal } = checkOptions(CALL, options, ['end', 'signal']);
  if (typeof end !== 'boolean') throw invalidArg(`${CALL}, option 'end'`, 'true or false', end);
  checkSignal(CALL, signal);
  if (!['copy', 'records', 'borrow'].includes(mode)) {
    throw invalidArg(`${CALL}, mode`, "'copy', 'records' or 'borrow'", mode);
  }
  if (typeof (parser as Partial<PushParser> | null)?.write !== 'function') {
    throw invalidArg(`${CALL}, parser`, 'a Writable, or an object with a method write(bytes)', parser);
  }
  const direct = input instanceof PullSource && mode !== 'records';
  const chunks = direct ? input : chunksOf(input, mode);
  if (!isWritable(parser)) return push(parser, chunks, mode === 'copy', end, signal);
  if (mode === 'copy') return pipe(chunks, parser, end, signal);
  if (parser.write.length < 2) {
    const expected = `a stream whose write() calls back, for the mode '${mode}': feed this one with 'copy'`;
    throw invalidArg(`${CALL}, parser`, expected, parser);
  }
  return pumpToStream(chunks, parser, direct ? WINDOW : 1, end, signal, mode === 'records');
}

/** What lies in a batch, to be written: a span that tells when it is done with. */
class BatchSpan implements Span, Disposable {
  readonly bytes: Bytes;
  readonly start: number;
  readonly end: number;
  readonly done: Promise<void>;
  #done: () => void = () => {};

  constructor({ bytes, start, end }: RecordBatch) {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.done = new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  [Symbol.dispose](): void {
    this.#done();
  }
}

/** Chunks as they are; and batches, the next of which is asked for, and the input left, when it is done with. */
async function* chunksOf(input: FeedInput, mode: FeedMode): AsyncGenerator<Chunk, void> {
  for await (const item of input) {
    if (item instanceof RecordBatch) {
      const span = new BatchSpan(item);
      try {
        // It has no lease to give away, which nobody here asks for.
        yield span as Span & Disposable as Chunk;
      } finally {
        await span.done;
      }
    } else if (mode === 'records') {
      item[Symbol.dispose]();
      throw invalidArg(`${CALL}, input`, "batches of records for the mode 'records', such as lines(source)", item);
    } else yield item;
  }
}

async function pipe(chunks: Chunks, parser: Writable, end: boolean, signal: AbortSignal | undefined): Promise<number> {
  const copies = toReadable(chunks);
  let bytes = 0;
  copies.on('data', (copy: Bytes) => {
    bytes += copy.length;
  });
  try {
    await pipeline(copies, parser, signal === undefined ? { end } : { end, signal });
    return bytes;
  } catch (error) {
    throw signal?.aborted ? abortReason(signal) : error;
  }
}

async function push(
  parser: PushParser,
  chunks: Chunks,
  copy: boolean,
  end: boolean,
  signal: AbortSignal | undefined,
): Promise<number> {
  const cursor = new ChunkCursor(chunks, `${CALL}, input`);
  const forget = signal && onAbort(signal, () => void cursor.close().catch(() => {}));
  let bytes = 0;
  try {
    for (;;) {
      throwIfAborted(signal);
      using chunk = await cursor.next();
      throwIfAborted(signal);
      if (chunk === null) break;
      let view = chunk.bytes.subarray(chunk.start, chunk.end);
      if (copy) {
        view = Buffer.from(view);
        chunk[Symbol.dispose]();
      }
      bytes += view.length;
      if (view.length > 0) await parser.write(view);
    }
    if (end) await parser.end?.();
    return bytes;
  } catch (error) {
    await cursor.close().catch(() => {});
    throw error;
  } finally {
    forget?.();
  }
}
