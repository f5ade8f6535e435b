import { isUint8Array } from 'node:util/types';
import { invalidArg } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import { FieldWriter } from './field-writer.js';
import { flushChunksSync } from './flush-file.js';
import { type FlushOptions, FlushQueue, type FlushTarget } from './flush-queue.js';
import { type Endian, Hole, type HoleSize } from './hole.js';

/** Up to so many characters, or bytes, a loop is faster than a native call. */
const SHORT = 16;
/** Bytes of UTF-8 of a UTF-16 unit, at most. */
const WIDEST = 3;
/** Of a segment, the share that may be left unused so that a string lies in one piece. */
const UNUSED = 1 / 8;

const LATIN1 = /^[\0-\xff]*$/;
const encoder = new TextEncoder();

/**
 * A ByteWriter writes into segments of a pool: numbers, strings and bytes, by its methods; or, for encoders that write themselves, what
 * they put into `bytes` from `reserve(n)` on and tell by `advance(n)` or `position`.
 *
 * ```ts
 * using writer = new ByteWriter(pool);
 * const length = writer.hole(4);
 * const before = writer.length;
 * writer.utf8('a record');
 * writer.fill(length, writer.length - before, 'be');
 * await writer.flush(socket);
 * ```
 */
export class ByteWriter extends FieldWriter {
  readonly #flushes = new FlushQueue();

  /**
   * A string as UTF-8; lone surrogates as U+FFFD. A long one may lie in several segments, which are cut between characters.
   * @returns bytes written
   * @throws as `reserve()`
   */
  utf8(text: string): number {
    if (typeof text !== 'string') this.wrong('utf8', 'a string', text);
    const { length } = text;
    const at = this.position;
    if (length > SHORT || length > this.limit - at) return this.#utf8(text);
    const { bytes } = this;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) return this.#utf8(text);
      bytes[at + i] = unit;
    }
    this.position = at + length;
    return length;
  }

  /**
   * A string of characters below U+0100, one byte each.
   * @returns bytes written
   * @throws `ERR_SLABPOOL_INVALID_ARG` for other characters, and as `reserve()`
   */
  latin1(text: string): number {
    if (typeof text !== 'string') this.wrong('latin1', 'a string', text);
    const { length } = text;
    const at = this.position;
    if (length > SHORT || length > this.limit - at) return this.#latin1(text);
    const { bytes } = this;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0xff) this.#notLatin1(text);
      bytes[at + i] = unit;
    }
    this.position = at + length;
    return length;
  }

  /**
   * A copy of bytes; they may lie in several segments.
   * @throws as `reserve()`
   */
  write(bytes: Uint8Array): void {
    if (!(bytes instanceof Uint8Array) && !isUint8Array(bytes)) this.wrong('write', 'a Uint8Array', bytes);
    const { length } = bytes;
    const at = this.position;
    if (length > this.limit - at) {
      this.#spread(bytes);
      return;
    }
    const target = this.bytes;
    if (length > SHORT) target.set(bytes, at);
    else for (let i = 0; i < length; i++) target[at + i] = bytes[i] as number;
    this.position = at + length;
  }

  /**
   * Room for a number of `size` bytes that is known later: {@link fill}. 0 until then. It lies in one piece, and does not move.
   * @throws as `reserve()`
   */
  hole(size: HoleSize): Hole {
    if (size !== 4 && size !== 2 && size !== 1 && size !== 8) this.wrong('hole', '1, 2, 4 or 8 (bytes)', size);
    const at = this.reserve(size);
    const { bytes } = this;
    for (let i = 0; i < size; i++) bytes[at + i] = 0;
    this.position = at + size;
    return new Hole(this.turn, bytes, at, size);
  }

  /**
   * Writes an unsigned integer into a hole of this writer, once, before the writer is emptied or merged.
   * @param value an integer from 0 to what the hole holds, or 2^53 - 1
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_LEASE_RELEASED`
   */
  fill(hole: Hole, value: number, endian: Endian = 'be'): void {
    if (!(hole instanceof Hole) || hole.turn !== this.turn) this.#notOpen(hole);
    const { bytes, at, size } = hole;
    if (endian !== 'le' && endian !== 'be')
      throw invalidArg('fill(hole, value, endian), endian', "'le' or 'be'", endian);
    if (
      size === 4
        ? typeof value !== 'number' || value !== value >>> 0
        : !(Number.isSafeInteger(value) && value >= 0 && value < 256 ** size)
    ) {
      throw invalidArg(
        `fill(hole, value), value`,
        `an integer from 0 to 2^${Math.min(53, 8 * size)} - 1`,
        value,
        this.pool.name,
      );
    }
    hole.turn = null;
    const little = endian === 'le';
    let rest = value;
    for (let i = 0; i < size; i++) {
      bytes[little ? at + i : at + size - 1 - i] = rest;
      rest = size === 8 ? Math.floor(rest / 256) : rest >>> 8;
    }
  }

  /**
   * Writes everything into a file from its position on, blocking the thread; the writer is empty then. A pipe that is full is waited for.
   *
   * If it throws, the writer has what was not written.
   * @throws as `fs.writevSync()`, `ERR_SLABPOOL_INVALID_ARG`
   */
  flushSync(fd: number): void {
    if (!Number.isInteger(fd) || fd < 0) throw invalidArg('flushSync(fd)', 'a file descriptor', fd, this.pool.name);
    const chunks = this.detach();
    try {
      flushChunksSync(fd, chunks);
    } finally {
      if (chunks.length > 0) this.attach(chunks);
    }
  }

  /**
   * Writes everything into a file, from its position on, or a stream. The writer is empty at once, and may be written to meanwhile:
   * its flushes come one after the other.
   *
   * A segment is the write's until its callback, or until the stream has failed or closed, and is released then. So a stream must not
   * keep what it was given beyond that, as a `PassThrough` does: `stream.write(writer.copy())` there. If it rejects, what was not written is
   * gone. A signal ends it at once; in a file, when the call that runs has returned.
   * @throws (rejects) what the file or the stream fails with, `ERR_STREAM_PREMATURE_CLOSE`, the signal's reason, `ERR_SLABPOOL_INVALID_ARG`
   */
  async flush(target: FlushTarget, options?: FlushOptions): Promise<void> {
    this.check('flush(target)');
    const signal = this.#flushes.check(target, options, this.pool.name);
    await this.#flushes.add(target, this.detach(), signal);
  }

  #notOpen(hole: Hole): never {
    this.check('fill(hole, value)');
    const expected = 'what hole() of this writer gave since it was emptied or merged, and not filled yet';
    throw invalidArg('fill(hole, value), hole', expected, hole, this.pool.name);
  }

  #utf8(text: string): number {
    const room = this.limit - this.position;
    // What is certainly too short for the characters, or may be, is counted.
    let length = text.length * WIDEST;
    if (length > room) {
      length = Buffer.byteLength(text);
      if (length > room) {
        if (length > this.segment * UNUSED) return this.#cut(text, length);
        this.room(length);
      }
    }
    const written = this.bytes.write(text, this.position, length);
    this.position += written;
    return written;
  }

  /** @param length bytes of `text`, for which the segment has no room */
  #cut(text: string, length: number): number {
    this.check('utf8(text)');
    this.checkGrowth(length);
    // A character of two units has four bytes: up to three are left at the end of each segment.
    const leases = this.more(length - Math.max(0, this.limit - this.position - WIDEST), WIDEST);
    let rest = text;
    let next = 0;
    for (;;) {
      const { read, written } = encoder.encodeInto(rest, this.bytes.subarray(this.position, this.limit));
      this.position += written;
      rest = rest.slice(read);
      if (rest.length === 0) break;
      this.append(leases[next++] as Lease);
    }
    for (const spare of leases.slice(next)) spare.release();
    return length;
  }

  #latin1(text: string): number {
    if (!LATIN1.test(text)) this.#notLatin1(text);
    const { length } = text;
    if (length > this.limit - this.position) {
      this.#spread(Buffer.from(text, 'latin1'));
      return length;
    }
    this.bytes.write(text, this.position, 'latin1');
    this.position += length;
    return length;
  }

  #notLatin1(text: string): never {
    this.wrong('latin1', 'a string of characters below U+0100', text);
  }

  /** Bytes for which the segment has no room. */
  #spread(source: Uint8Array): void {
    this.check('write(bytes)');
    const { length } = source;
    this.checkGrowth(length);
    const leases = this.more(length - (this.limit - this.position), 0);
    let done = 0;
    let next = 0;
    for (;;) {
      const n = Math.min(length - done, this.limit - this.position);
      this.bytes.set(source.subarray(done, done + n), this.position);
      this.position += n;
      done += n;
      if (done === length) break;
      this.append(leases[next++] as Lease);
    }
  }
}
