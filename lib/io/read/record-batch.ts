import type { Bytes } from '../../base/runtime.js';
import { SlabPoolError } from '../../errors.js';
import { type ByteWindow, NO_BYTES } from '../byte-window.js';
import type { Chunk, Span } from '../chunk.js';

/** Most bytes of text that are decoded at once: V8 handles larger strings several times slower (measured on Node 20). */
const TEXT_PIECE = 64 * 1024;

/** Node's own, and Bun's and Deno's, below `toString()`: a third of its time for a short text. */
interface Slices {
  utf8Slice(start: number, end: number): string;
}

const utf8 = (bytes: Bytes, from: number, to: number) => (bytes as Bytes & Slices).utf8Slice(from, to);

/**
 * All whole records that an input has for now, and a cursor over them.
 *
 * ```ts
 * for await (const batch of lines(source)) {
 *   while (batch.next()) count(batch.bytes, batch.from, batch.to);
 * }
 * ```
 *
 * What       One object for the whole input, so that a record costs no allocation. `bytes`, `start` and `end` are those of the records
 *            with what stands between them; `from` and `to` those of the record that {@link next} has come to, without it.
 * Callers    One thread.
 * Ownership  The bytes are the window's; all fields are good until the next batch is asked for. {@link take} makes them the caller's.
 */
export abstract class RecordBatch implements Span {
  bytes: Bytes = NO_BYTES;
  start = 0;
  end = 0;
  /** Index of the first byte of the current record. */
  from = 0;
  /** Index behind the last byte of the current record. */
  to = 0;
  /**
   * After {@link split} has found nothing: how many bytes of the input, from its `start` on, the next record needs at least.
   * @see ByteReader.read
   */
  wanted = 1;
  /** Index of what follows the current record. */
  protected at = 0;
  /** Whose bytes these are, while there are any. */
  protected window: ByteWindow | null = null;

  /** Goes on to the next record; false behind the last one of this batch. */
  abstract next(): boolean;

  /** Index behind the last whole record of the window; `start` if it has none. */
  protected abstract endOf(window: ByteWindow): number;

  /** Index behind what is a record because the input has ended. @throws `ERR_SLABPOOL_TRUNCATED` if that is none */
  protected endOfRest(window: ByteWindow): number {
    window.assertNothingLeft();
    return window.end;
  }

  /**
   * Turns to the next records of a reader, as many as are there in whole; those of before are consumed. False: there is none, and
   * `reader.read(batch.wanted)` may bring one; or, where the reader has `ended`, there will be none.
   *
   * This is how records come where bytes are pushed: in `Receiver.data(reader)`.
   * @throws `ERR_SLABPOOL_TOO_LONG`, `ERR_SLABPOOL_MALFORMED`, `ERR_SLABPOOL_TRUNCATED`
   */
  split(window: ByteWindow): boolean {
    this.leave();
    let end = this.endOf(window);
    if (end === window.start && window.ended) end = this.endOfRest(window);
    if (end === window.start) return false;
    this.window = window;
    this.bytes = window.bytes;
    this.start = this.from = this.to = this.at = window.start;
    this.end = end;
    return true;
  }

  /** The records are consumed, and the fields empty. */
  leave(): void {
    const window = this.window;
    this.window = null;
    if (window !== null && this.bytes === window.bytes) window.start = this.end;
    this.bytes = NO_BYTES;
    this.start = this.end = this.from = this.to = this.at = 0;
  }

  /** The current record as text, from UTF-8. */
  text(): string {
    return utf8(this.bytes, this.from, this.to);
  }

  /** The texts of all records behind the current one, from UTF-8. The cursor is behind them then. */
  texts(): string[] {
    const texts: string[] = [];
    while (this.next()) texts.push(this.text());
    return texts;
  }

  /** The current record, in place: good until the next batch is asked for. */
  subarray(): Bytes {
    return this.bytes.subarray(this.from, this.to);
  }

  /** A copy of the current record. */
  copy(): Bytes {
    return Buffer.from(this.subarray());
  }

  /**
   * The records, all of them, as a chunk of the caller's own, with what stands between them. The batch is empty then.
   * @throws as {@link ByteWindow.take}; nothing has changed then
   */
  take(): Chunk {
    const window = this.window;
    if (window === null) throw emptyBatch();
    const chunk = window.take(this.end - this.start);
    this.window = null;
    this.leave();
    return chunk;
  }
}

/** Texts of the records between `from` and `end`, each of which ends with the ASCII character `delimiter`, the last one perhaps not. */
export function splitTexts(bytes: Bytes, from: number, end: number, delimiter: number, crlf: boolean): string[] {
  const separator = String.fromCharCode(delimiter);
  let texts: string[] = [];
  for (let at = from; at < end; ) {
    let to = end;
    if (end - at > TEXT_PIECE) {
      const last = bytes.lastIndexOf(delimiter, at + TEXT_PIECE - 1);
      const next = last >= at ? last : bytes.indexOf(delimiter, at + TEXT_PIECE);
      if (next !== -1 && next < end) to = next + 1;
    }
    const closed = bytes[to - 1] === delimiter;
    const text = utf8(bytes, at, closed ? to - 1 : to);
    const piece = text.split(separator);
    if (crlf && text.includes('\r')) withoutCr(piece, closed ? piece.length : piece.length - 1);
    texts = texts.length === 0 ? piece : texts.concat(piece);
    at = to;
  }
  return texts;
}

/** Of the first `count`: behind the last text there may be no LF. */
function withoutCr(texts: string[], count: number): void {
  for (let i = 0; i < count; i++) {
    const text = texts[i] as string;
    if (text.endsWith('\r')) texts[i] = text.slice(0, -1);
  }
}

function emptyBatch(): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_LEASE_RELEASED',
    'take() of a batch that has no records any more: they were taken, or the next batch was asked for',
  );
}
