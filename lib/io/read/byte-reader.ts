import { invalidArg, SlabPoolError } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { ByteWindow } from '../byte-window.js';
import type { Chunk, ChunkSource, ChunkSourceSync } from '../chunk.js';
import { PullSource, PullSourceSync } from '../pull-source.js';
import { isRefused } from '../refusals.js';
import { IteratedSource, IteratedSourceSync } from './iterated-source.js';

/** Room before later chunks is given in these steps: file systems like to be read by pages. */
const STEP = 4096;
/** The most room before a chunk's data that is asked for, in bytes. */
const MOST_HEADROOM = 64 * 1024;

/**
 * Reads an input by fields and records: one window, which grows for what is longer than a block, and shrinks again behind it.
 *
 * ```ts
 * await using reader = new ByteReader(fromFile(pool, 'data.bin'));
 * while (await reader.read(4)) {
 *   const length = reader.bytes.readUInt32LE(reader.start);
 *   if (!(await reader.read(4 + length))) throw new Error('cut off');
 *   parse(reader.bytes, reader.start + 4, reader.start + 4 + length);
 *   reader.consume(4 + length);
 * }
 * ```
 *
 * Ownership  It has its source: closing the reader closes that.
 */
export class ByteReader extends ByteWindow implements AsyncDisposable {
  readonly #source: PullSource;
  /** Aborted when the reader is closed. */
  readonly #end = new AbortController();
  #reading = false;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(source: ChunkSource) {
    super(poolOf('new ByteReader(source)', source, Symbol.asyncIterator, 'a ChunkSource, such as fromFile() returns'));
    this.#source = source instanceof PullSource ? source : new IteratedSource(source);
  }

  /**
   * Whether `atLeast` bytes are there: at once (`true`) if they are, else when they have come. False: the input has ended with fewer.
   * @param atLeast bytes from `start` on. Default: one more than there are
   * @returns a promise only where something has to be read
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_EXHAUSTED` if the pool can never hold so many, `ERR_SLABPOOL_OVERSIZE`, and what
   * the source throws
   */
  read(atLeast: number = this.length + 1): boolean | Promise<boolean> {
    this.checkRead(atLeast);
    if (this.end - this.start >= atLeast) return true;
    if (this.ended) return false;
    return this.#read(atLeast);
  }

  async #read(atLeast: number): Promise<boolean> {
    if (this.#reading) throw overlapping(this.pool);
    this.#reading = true;
    try {
      while (this.length < atLeast && !this.ended) {
        const pulled = this.#source.pull();
        const chunk = pulled instanceof Promise ? await pulled : pulled;
        if (this.#end.signal.aborted) {
          chunk?.release();
          throw closed(this.pool);
        }
        if (chunk === null) this.ended = true;
        else await this.#add(chunk, atLeast);
      }
      return this.length >= atLeast;
    } finally {
      this.#reading = false;
    }
  }

  async #add(chunk: Chunk, atLeast: number): Promise<void> {
    this.#source.headroom = headroomFor(this.#source.headroom, this.length);
    const needed = this.append(chunk);
    if (needed === 0) return;
    try {
      this.move(await this.#room(roomFor(needed, atLeast, this.length), needed, chunk));
    } catch (error) {
      this.makeDo(chunk, needed, error);
      return;
    }
    if (this.#end.signal.aborted) {
      this.drop();
      chunk.release();
      throw closed(this.pool);
    }
    this.append(chunk, false);
  }

  /** A lease of `bytes`, or of fewer, but as many as are needed, when it cannot be had. */
  async #room(bytes: number, needed: number, chunk: Chunk): Promise<Lease> {
    try {
      return this.pool.acquire(bytes);
    } catch (error) {
      if (!isRefused(error)) throw error;
      await this.#source.shed();
      // What nobody else can make room for would be waited for in vain.
      if (needed <= this.held || this.held + chunk.bytes.length + capacityFor(this.pool, needed) > this.pool.maxBytes)
        throw error;
      return await this.pool.acquireAsync(needed, { signal: this.#end.signal });
    }
  }

  /** Ends the reading: releases what is held, when nothing uses it any more, and closes the source. Any number of times. */
  async close(): Promise<void> {
    this.#end.abort(closed(this.pool));
    this.ended = true;
    this.drop();
    await this.#source.close();
  }

  /** `await using`: {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** As {@link ByteReader}, from a source that is read synchronously. */
export class ByteReaderSync extends ByteWindow implements Disposable {
  readonly #source: PullSourceSync;

  /** @throws `ERR_SLABPOOL_INVALID_ARG` */
  constructor(source: ChunkSourceSync) {
    super(poolOf('new ByteReaderSync(source)', source, Symbol.iterator, 'what fromFileSync() returns'));
    this.#source = source instanceof PullSourceSync ? source : new IteratedSourceSync(source);
  }

  /**
   * Whether `atLeast` bytes are there, having read them if need be. False: the input has ended with fewer.
   * @param atLeast bytes from `start` on. Default: one more than there are
   * @throws as {@link ByteReader.read}
   */
  read(atLeast: number = this.length + 1): boolean {
    this.checkRead(atLeast);
    while (this.end - this.start < atLeast && !this.ended) {
      const chunk = this.#source.pull();
      if (chunk === null) this.ended = true;
      else this.#add(chunk, atLeast);
    }
    return this.end - this.start >= atLeast;
  }

  #add(chunk: Chunk, atLeast: number): void {
    this.#source.headroom = headroomFor(this.#source.headroom, this.length);
    const needed = this.append(chunk);
    if (needed === 0) return;
    try {
      this.move(this.#room(roomFor(needed, atLeast, this.length), needed));
    } catch (error) {
      this.makeDo(chunk, needed, error);
      return;
    }
    this.append(chunk, false);
  }

  #room(bytes: number, needed: number): Lease {
    try {
      return this.pool.acquire(bytes);
    } catch (error) {
      if (!isRefused(error)) throw error;
      return this.pool.acquire(needed);
    }
  }

  /** Ends the reading: releases what is held, and closes the source. Any number of times. */
  close(): void {
    this.ended = true;
    this.drop();
    this.#source.close();
  }

  /** `using`: {@link close}. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Bytes of a lease for what is carried over and a chunk: all that was asked for and as much behind it as a chunk has; where that is not
 * known, twice as much as is carried over, so that what is long is not moved with each chunk.
 */
function roomFor(needed: number, atLeast: number, carried: number): number {
  return atLeast > needed ? atLeast + needed - carried : needed + Math.min(carried, needed);
}

/** Bytes of the lease that `needed` bytes come in. */
function capacityFor(pool: BufferPool, needed: number): number {
  return pool.tiers.find((capacity) => capacity >= needed) ?? needed;
}

function headroomFor(headroom: number, carried: number): number {
  if (carried <= headroom || carried > MOST_HEADROOM) return Math.max(headroom, STEP);
  return Math.ceil(carried / STEP) * STEP;
}

function poolOf(what: string, source: { readonly pool: BufferPool }, iterator: symbol, expected: string): BufferPool {
  const given = source as unknown as Record<symbol | 'pool', unknown> | null | undefined;
  if (typeof given?.[iterator] !== 'function' || typeof given.pool !== 'object') {
    throw invalidArg(`${what}, source`, expected, source);
  }
  return source.pool;
}

function closed(pool: BufferPool): SlabPoolError {
  return new SlabPoolError('ERR_SLABPOOL_CLOSED', 'the reader was closed while it was reading', { pool: pool.name });
}

function overlapping(pool: BufferPool): SlabPoolError {
  const message =
    'read(): the read() before it has not settled: await what it returns, also where that is mostly no promise';
  return new SlabPoolError('ERR_SLABPOOL_INVALID_ARG', message, { pool: pool.name });
}
