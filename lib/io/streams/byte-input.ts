import { finished, type Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import { types } from 'node:util';
import { invalidArg, type SlabPoolError } from '../../errors.js';

/** What can be read as bytes: a Node stream, a web stream, or anything that is iterated over asynchronously. */
export type ByteInput = Readable | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Bytes of somebody else's input, in the pieces in which they come. One reader. */
export interface Feed {
  /** Pieces that are there, none of them empty. Whoever reads takes them out. */
  readonly queue: Uint8Array[];
  /**
   * Waits for a piece where there is none.
   * @returns false at the end, and after {@link cancel}
   * @throws what has gone wrong with the input
   */
  more(): Promise<boolean>;
  /** No more is wanted, and the input is closed; a `more()` that waits returns. Once. */
  cancel(reason: unknown): Promise<void>;
}

const NOTHING = () => {};

/** @throws `ERR_SLABPOOL_INVALID_ARG` for a piece that is no bytes */
export function assertBytes(piece: unknown, what: string, pool: string): asserts piece is Uint8Array {
  if (!types.isUint8Array(piece)) throw noBytes(piece, what, pool);
}

function noBytes(piece: unknown, what: string, pool: string): SlabPoolError {
  const expected =
    'pieces that are Buffers or Uint8Arrays (of text: leave setEncoding() out, or encode it; of objects: turn each into bytes)';
  return invalidArg(what, expected, piece, pool);
}

/** As `stream.finished()` without an error, of a stream that we do not wait for any longer. */
function errorOf(reason: unknown): Error | undefined {
  return reason instanceof Error ? reason : undefined;
}

/**
 * A Node stream, read by its `data` events.
 *
 * What       The stream flows only while somebody waits, until it has nothing more at hand or `most` bytes are there.
 * Callers    One reader.
 * Ownership  The stream is destroyed if it is given up before its end, as `for await` does.
 */
class NodeFeed implements Feed {
  readonly queue: Uint8Array[] = [];
  readonly #readable: Readable;
  readonly #most: number;
  readonly #forget: () => void;
  #bytes = 0;
  #over = false;
  #failure: { error: unknown } | null = null;
  #wake: (() => void) | null = null;

  constructor(readable: Readable, most: number, what: string, pool: string) {
    this.#readable = readable;
    this.#most = most;
    const data = (piece: unknown) => {
      if (this.#over) return;
      if (!types.isUint8Array(piece)) return this.#end(noBytes(piece, what, pool));
      if (piece.length > 0) this.queue.push(piece);
      this.#bytes += piece.length;
      if (this.#bytes < this.#most && readable.readableLength > 0) return;
      readable.pause();
      if (this.queue.length > 0) this.#awake();
      else readable.resume();
    };
    const end = () => this.#end();
    readable.pause();
    readable.on('data', data);
    readable.on('end', end);
    const cleanup = finished(readable, { writable: false }, (error) => this.#end(error ?? undefined));
    this.#forget = () => {
      readable.off('data', data);
      readable.off('end', end);
      cleanup();
    };
  }

  #end(error?: unknown): void {
    if (this.#over) return;
    this.#over = true;
    if (error !== undefined) this.#failure = { error };
    // After an error there may be others, which nobody would listen to.
    else this.#forget();
    this.#awake();
  }

  #awake(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  async more(): Promise<boolean> {
    this.#bytes = 0;
    if (this.queue.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#readable.resume();
      });
    }
    if (this.queue.length > 0) return true;
    if (this.#failure !== null) throw this.#failure.error;
    return false;
  }

  async cancel(reason: unknown): Promise<void> {
    const ended = this.#over && this.#failure === null;
    this.#over = true;
    this.queue.length = 0;
    if (!ended) this.#readable.destroy(errorOf(reason));
    this.#awake();
  }
}

/** What {@link PulledFeed} reads: an iterator, or a web stream's reader behind the same two calls. */
interface Pulled {
  next(): Promise<{ done?: boolean | undefined; value?: unknown }>;
  cancel(reason: unknown): Promise<unknown>;
  /** Whether `cancel()` settles also while a `next()` is pending. */
  readonly prompt: boolean;
  /** After the end, or after `cancel()`. */
  end(): void;
}

/** An input that is asked for one piece at a time. */
class PulledFeed implements Feed {
  readonly queue: Uint8Array[] = [];
  readonly #pulled: Pulled;
  readonly #what: string;
  readonly #pool: string;
  #over = false;
  #wake: ((result: { done: true }) => void) | null = null;

  constructor(pulled: Pulled, what: string, pool: string) {
    this.#pulled = pulled;
    this.#what = what;
    this.#pool = pool;
  }

  async more(): Promise<boolean> {
    while (this.queue.length === 0 && !this.#over) {
      const { done, value } = await new Promise<{ done?: boolean | undefined; value?: unknown }>((resolve, reject) => {
        this.#wake = resolve;
        this.#pulled.next().then(resolve, reject);
      });
      this.#wake = null;
      if (this.#over) break;
      if (done) {
        this.#over = true;
        this.#pulled.end();
        break;
      }
      assertBytes(value, this.#what, this.#pool);
      if (value.length > 0) this.queue.push(value);
    }
    return this.queue.length > 0;
  }

  async cancel(reason: unknown): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.queue.length = 0;
    const wake = this.#wake;
    const cancelled = this.#pulled.cancel(reason);
    wake?.({ done: true });
    if (wake !== null && !this.#pulled.prompt) {
      cancelled.catch(NOTHING);
      return;
    }
    try {
      await cancelled;
    } finally {
      this.#pulled.end();
    }
  }
}

function ofIterator(iterable: AsyncIterable<Uint8Array>): Pulled {
  const iterator = iterable[Symbol.asyncIterator]();
  return {
    next: async () => iterator.next(),
    cancel: async () => iterator.return?.(),
    prompt: false,
    end: NOTHING,
  };
}

function ofReader(stream: ReadableStream<Uint8Array>): Pulled {
  const reader = stream.getReader();
  return {
    next: () => reader.read(),
    cancel: (reason) => reader.cancel(reason),
    prompt: true,
    end: () => reader.releaseLock(),
  };
}

/** Tells a Node stream by its shape: those of `readable-stream` pass. */
export function isReadable(input: unknown): input is Readable {
  if (typeof input !== 'object' || input === null) return false;
  const { on, pause, resume } = input as Partial<Readable>;
  return typeof on === 'function' && typeof pause === 'function' && typeof resume === 'function';
}

/** Tells a web stream by its shape. */
export function isWebStream(input: unknown): input is ReadableStream<Uint8Array> {
  return (
    typeof input === 'object' &&
    input !== null &&
    typeof (input as Partial<ReadableStream>).getReader === 'function' &&
    typeof (input as Partial<ReadableStream>).locked === 'boolean'
  );
}

/**
 * @param most bytes to gather of those that are at hand
 * @param what the public function and its argument, for errors
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function openFeed(input: ByteInput, most: number, what: string, pool: string): Feed {
  if (isReadable(input)) {
    const { readableEncoding = null } = input;
    if (readableEncoding !== null) {
      throw invalidArg(what, 'a stream of bytes: leave setEncoding() out', `the encoding ${readableEncoding}`, pool);
    }
    return new NodeFeed(input, most, what, pool);
  }
  if (isWebStream(input)) {
    assertUnlocked(input, what, pool);
    return new PulledFeed(ofReader(input), what, pool);
  }
  if (typeof (input as Partial<AsyncIterable<Uint8Array>> | null)?.[Symbol.asyncIterator] === 'function') {
    return new PulledFeed(ofIterator(input), what, pool);
  }
  throw invalidArg(what, 'a Readable, a ReadableStream, or an async iterable of Uint8Arrays', input, pool);
}

/** @throws `ERR_SLABPOOL_INVALID_ARG` */
export function assertUnlocked(stream: ReadableStream<Uint8Array>, what: string, pool: string): void {
  if (stream.locked) throw invalidArg(what, 'a stream that has no other reader: release its lock', stream, pool);
}
