import { write } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import process from 'node:process';
import { finished, type Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { abortReason, checkSignal, onAbort } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import type { Bytes } from '../../base/runtime.js';
import { invalidArg } from '../../errors.js';
import { BUSY_MS, isBusy } from '../busy.js';
import type { Chunk } from '../chunk.js';
import { ChunkCursor, type Chunks } from './chunk-cursor.js';

/** Options of {@link pump}. */
export interface PumpOptions {
  /** How many chunks may be in flight at once: an integer from 1. Files have one. Default: 4. */
  window?: number;
  /** Whether the writable is ended after the last chunk, and waited for. Not for files. Default: false. */
  end?: boolean;
  /** Ends it: both sides are closed, and the promise rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

const writeTo = promisify(write);

/**
 * Chunks that are being written to a stream.
 *
 * What       The stream is not written to while it wants to be drained, or `window` chunks are in flight.
 * Callers    {@link pump}; the stream's callbacks and its end.
 * Ownership  A chunk is the flight's until its write's callback, or the end of the stream, which drops callbacks.
 */
class Flight {
  readonly #writable: Writable;
  readonly #window: number;
  readonly #chunks = new Set<Chunk>();
  readonly #forget: () => void;
  readonly #drained = () => this.#turn();
  readonly #failed: (error: unknown) => void;
  #failure: { error: unknown } | null = null;
  /** Whether the stream has finished, or is no more. */
  #over = false;
  #wake: (() => void) | null = null;
  /** Written, while the stream has not handed out yet all that it has made of them. Null: that does not matter. */
  readonly #unread: Chunk[] | null;
  #unhook: () => void = () => {};

  /**
   * @param handOut whether a chunk is kept until what the stream has made of it was read
   * @param failed is called when the flight has failed, once
   */
  constructor(writable: Writable, window: number, handOut: boolean, failed: (error: unknown) => void) {
    this.#writable = writable;
    this.#window = window;
    this.#failed = failed;
    this.#unread = handOut ? [] : null;
    writable.on('drain', this.#drained);
    if (handOut) this.#unhook = afterReads(writable, () => this.#handedOut());
    this.#forget = finished(writable, { readable: false }, (error) => {
      this.#over = true;
      if (error) this.fail(error);
      for (const chunk of this.#chunks) chunk[Symbol.dispose]();
      this.#chunks.clear();
      this.#turn();
    });
  }

  /** The stream is destroyed, unless it has failed by itself. The first failure counts. */
  fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = { error };
    if (!this.#over) this.#writable.destroy(error instanceof Error ? error : undefined);
    this.#failed(error);
    this.#turn();
  }

  assertFlying(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  #turn(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  #woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** The chunk is the flight's from then on. */
  add(chunk: Chunk): void {
    const { bytes, start, end } = chunk;
    this.#chunks.add(chunk);
    try {
      this.#writable.write(bytes.subarray(start, end), (error) => {
        if (this.#unread === null || error || unreadLength(this.#writable) === 0) this.#release(chunk);
        else this.#unread.push(chunk);
        if (error) this.fail(error);
        this.#turn();
      });
    } catch (error) {
      this.#release(chunk);
      throw error;
    }
  }

  #handedOut(): void {
    if (this.#unread === null || this.#unread.length === 0 || unreadLength(this.#writable) > 0) return;
    for (const chunk of this.#unread.splice(0)) this.#release(chunk);
    this.#turn();
  }

  #release(chunk: Chunk): void {
    if (this.#chunks.delete(chunk)) chunk[Symbol.dispose]();
  }

  /** Waits until there is room for another chunk. */
  async room(): Promise<void> {
    this.assertFlying();
    while (this.#chunks.size >= this.#window || this.#writable.writableNeedDrain) {
      await this.#woken();
      this.assertFlying();
    }
  }

  /** Waits until all is written. */
  async landed(): Promise<void> {
    this.assertFlying();
    while (this.#chunks.size > 0) {
      await this.#woken();
      this.assertFlying();
    }
  }

  /** Ends the stream, and waits until it has finished. */
  async ended(): Promise<void> {
    this.#writable.end();
    while (!this.#over) {
      await this.#woken();
      this.assertFlying();
    }
    this.assertFlying();
  }

  /** After a failure: until nothing of ours is in the stream. Its errors stay listened to, as there may be more. */
  async gone(): Promise<void> {
    this.#deaf();
    while (this.#chunks.size > 0) await this.#woken();
  }

  /** After success. */
  leave(): void {
    this.#deaf();
    this.#forget();
  }

  #deaf(): void {
    this.#writable.off('drain', this.#drained);
    this.#unhook();
  }
}

/**
 * Calls `call` after each `read()`, which everything that a stream hands out later than at once goes through. No event tells of that
 * without making some streams flow.
 * @returns what ends it
 */
function afterReads(writable: Writable, call: () => void): () => void {
  const stream: Writable & { read?: (size?: number) => unknown } = writable;
  const { read } = stream;
  if (typeof read !== 'function') return () => {};
  const own = Object.hasOwn(stream, 'read');
  const hooked = (size?: number) => {
    process.nextTick(call);
    return read.call(stream, size);
  };
  stream.read = hooked;
  return () => {
    if (stream.read !== hooked) return;
    if (own) stream.read = read;
    else delete stream.read;
  };
}

/** What a stream has made and nobody has read yet, by its own measure; 0 if it is not read from. */
function unreadLength(stream: Writable): number {
  const { readableLength, _readableState } = stream as {
    readableLength?: number;
    _readableState?: { length: number };
  };
  // Those of readable-stream 2 do not tell.
  return readableLength ?? _readableState?.length ?? 0;
}

/** As {@link pump}. @param handOut whether a chunk is kept until what the stream has made of it was read */
export async function pumpToStream(
  source: Chunks,
  writable: Writable,
  window: number,
  end: boolean,
  signal: AbortSignal | undefined,
  handOut: boolean,
): Promise<number> {
  const cursor = new ChunkCursor(source, 'pump(source, writable), source');
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= cursor.close().catch(() => {});
    return closed;
  };
  const flight = new Flight(writable, window, handOut, close);
  const forget = signal && onAbort(signal, () => flight.fail(abortReason(signal)));
  if (signal?.aborted) flight.fail(abortReason(signal));
  let bytes = 0;
  try {
    for (;;) {
      await flight.room();
      const chunk = await cursor.next();
      if (chunk === null) break;
      try {
        flight.assertFlying();
      } catch (error) {
        chunk[Symbol.dispose]();
        throw error;
      }
      const length = chunk.end - chunk.start;
      if (length > 0) flight.add(chunk);
      else chunk[Symbol.dispose]();
      bytes += length;
    }
    await flight.landed();
    if (end) await flight.ended();
    flight.leave();
    return bytes;
  } catch (error) {
    flight.fail(error);
    await Promise.all([close(), flight.gone()]);
    throw error;
  } finally {
    forget?.();
  }
}

/** One write at a time, since each begins where the one before has ended. */
async function pumpToFile(
  source: Chunks,
  writeSome: (bytes: Bytes, at: number, length: number) => Promise<{ bytesWritten: number }>,
  signal: AbortSignal | undefined,
): Promise<number> {
  const cursor = new ChunkCursor(source, 'pump(source, file), source');
  const forget = signal && onAbort(signal, () => void cursor.close().catch(() => {}));
  let written = 0;
  try {
    for (;;) {
      using chunk = await cursor.next();
      if (signal?.aborted) throw abortReason(signal);
      if (chunk === null) return written;
      const { bytes, end } = chunk;
      for (let at = chunk.start; at < end; ) {
        try {
          const { bytesWritten } = await writeSome(bytes, at, end - at);
          at += bytesWritten;
          written += bytesWritten;
        } catch (error) {
          if (!isBusy(error)) throw error;
          await setTimeout(BUSY_MS);
        }
        if (signal?.aborted) throw abortReason(signal);
      }
    }
  } catch (error) {
    await cursor.close().catch(() => {});
    throw error;
  } finally {
    forget?.();
  }
}

/**
 * Writes chunks to a stream, and releases each when it is written: in its write's callback, or when the stream has failed or is closed
 * (Node never calls back for a request that was destroyed).
 *
 * The stream is left open, for more, unless `end` is set. If anything fails, or the signal aborts, both sides are closed, as with
 * `stream.pipeline()`: the source, and the stream is destroyed also without `end`, since what would come next would be taken for the
 * rest of the source. The promise settles when no chunk is in flight.
 *
 * To a file descriptor or a `FileHandle`, it writes at the file's position, and never closes it.
 * @returns how many bytes were written
 * @throws `ERR_SLABPOOL_INVALID_ARG`, what the source or the stream fails with, the signal's reason
 */
export async function pump(
  source: Chunks,
  writable: Writable | FileHandle | number,
  options?: PumpOptions,
): Promise<number> {
  const call = 'pump(source, writable, options)';
  const { window = 4, end = false, signal } = checkOptions(call, options, ['window', 'end', 'signal']);
  if (!Number.isSafeInteger(window) || window < 1) {
    throw invalidArg(`${call}, option 'window'`, 'an integer from 1 (chunks)', window);
  }
  if (typeof end !== 'boolean') throw invalidArg(`${call}, option 'end'`, 'true or false', end);
  checkSignal(call, signal);
  if (signal?.aborted) {
    await new ChunkCursor(source, `${call}, source`).close().catch(() => {});
    if (isWritable(writable)) writable.destroy();
    throw abortReason(signal);
  }
  if (isWritable(writable)) return pumpToStream(source, writable, window, end, signal, false);
  if (typeof writable === 'number' && Number.isSafeInteger(writable) && writable >= 0) {
    return pumpToFile(source, (bytes, at, length) => writeTo(writable, bytes, at, length, null), signal);
  }
  if (
    typeof (writable as Partial<FileHandle> | null)?.write === 'function' &&
    typeof (writable as FileHandle).fd === 'number'
  ) {
    return pumpToFile(source, (bytes, at, length) => (writable as FileHandle).write(bytes, at, length, null), signal);
  }
  throw invalidArg(`${call}, writable`, 'a Writable, a FileHandle or a file descriptor', writable);
}

/** Tells it by its shape; a `FileHandle` has `on()` and `write()`, too, but no `end()`. */
export function isWritable(value: unknown): value is Writable {
  if (typeof value !== 'object' || value === null) return false;
  const { on, write, end, destroy } = value as Partial<Writable>;
  return [on, write, end, destroy].every((method) => typeof method === 'function');
}
