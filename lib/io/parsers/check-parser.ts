import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { isDeepStrictEqual } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import { BufferPool } from '../../pool.js';
import { type Chunk, type ChunkSource, chunkOf } from '../chunk.js';
import type { RecordBatch } from '../read/record-batch.js';
import { isReadable } from '../streams/byte-input.js';
import { isWritable } from '../streams/pump.js';
import { type FeedInput, type FeedMode, feed, type PushParser } from './feed.js';

/**
 * Makes a new parser.
 * @param emit to be called with what it hands out, at once; what comes from a stream's readable side is seen without that
 */
export type MakeParser = (emit: (value: unknown) => void) => PushParser;

/** Options of {@link checkParser}. */
export interface CheckParserOptions {
  /** The way of feeding that is tried. Default: `'borrow'`. */
  mode?: FeedMode;
  /** Lengths of chunks to cut the input into, in bytes. Default: some of 1 to 16,381, as far as that makes at most 4,096 chunks. */
  chunkSizes?: readonly number[];
  /** How the input is split into records, for the modes `'records'`, which needs that, and `'copy'`. Default: it is not. */
  records?: (source: ChunkSource) => AsyncIterable<RecordBatch>;
  /** The core of the pools that are used. Default: `'auto'`. */
  backend?: 'auto' | 'native' | 'js';
}

/** What {@link checkParser} has found. */
export interface ParserCheck {
  /** The mode that was tried. */
  readonly mode: FeedMode;
  /** Whether all is right, and stays so: the same as `verdict === 'safe'`. */
  readonly safe: boolean;
  /**
   * - `'safe'`: what the parser hands out is right, and stays right.
   * - `'views'`: it is right when it is handed out, and changes later, since it lies in the input: use it, or copy it, at once.
   * - `'corrupts'`: it is wrong, or the parser fails.
   */
  readonly verdict: 'safe' | 'views' | 'corrupts';
  /** Length of the chunks where it first went wrong, or as far as it went wrong. Null if it never did. */
  readonly chunkBytes: number | null;
  /** What went wrong there, in words. Null if nothing did. */
  readonly reason: string | null;
}

const CALL = 'checkParser(makeParser, input, options)';
const SIZES = [1, 2, 7, 61, 509, 1021, 4093, 16_381];
const MOST_CHUNKS = 4096;

/** What came out of one run. */
interface Outcome {
  /** As it was when it was handed out. */
  readonly atOnce: unknown[];
  /** As it was in the end. */
  readonly inTheEnd: unknown[];
  readonly error: unknown;
}

/**
 * Finds out whether a parser may be fed in a mode: feeds it the same bytes, cut in many ways, with copies and with chunks that are
 * overwritten (`debug: 'poison'`) or detached (`debug: 'detach'`) when they are released, and compares what it hands out.
 *
 * ```ts
 * const { verdict, reason } = await checkParser(() => new MyParser(), readFileSync('sample.bin'), { mode: 'borrow' });
 * ```
 *
 * What is found holds for inputs such as this one: take some that has all that the format has, of several KiB.
 * @throws `ERR_SLABPOOL_INVALID_ARG`, and what the parser fails with when it is fed with copies
 */
export async function checkParser(
  makeParser: MakeParser,
  input: Uint8Array,
  options?: CheckParserOptions,
): Promise<ParserCheck> {
  if (typeof makeParser !== 'function') throw invalidArg(`${CALL}, makeParser`, 'a function', makeParser);
  if (!(input instanceof Uint8Array) || input.length === 0) {
    throw invalidArg(`${CALL}, input`, 'a Buffer or Uint8Array that is not empty', input);
  }
  const {
    mode = 'borrow',
    chunkSizes,
    records,
    backend = 'auto',
  } = checkOptions(CALL, options, ['mode', 'chunkSizes', 'records', 'backend']);
  if (mode === 'records' && typeof records !== 'function') {
    throw invalidArg(`${CALL}, option 'records'`, "a function for the mode 'records', such as lines", records);
  }
  let views: ParserCheck | null = null;
  for (const chunkBytes of sizesOf(chunkSizes, input.length)) {
    const expected = await run('copy', 'off', chunkBytes);
    if (expected.error !== null) throw expected.error;
    for (const debug of ['poison', 'detach'] as const) {
      const outcome = await run(mode, debug, chunkBytes);
      const wrong = outcome.error === null ? difference(expected.atOnce, outcome.atOnce) : `it fails: ${outcome.error}`;
      if (wrong !== null) return { mode, safe: false, verdict: 'corrupts', chunkBytes, reason: wrong };
      const changed = difference(expected.atOnce, outcome.inTheEnd);
      if (changed !== null) views ??= { mode, safe: false, verdict: 'views', chunkBytes, reason: changed };
    }
  }
  return views ?? { mode, safe: true, verdict: 'safe', chunkBytes: null, reason: null };

  async function run(by: FeedMode, debug: 'off' | 'poison' | 'detach', size: number): Promise<Outcome> {
    const pool = new BufferPool({ name: 'checkParser', backend, debug, maxBytes: 64 * 1024 * 1024 });
    try {
      const source = new CutSource(pool, input, size);
      return await outcomeOf(makeParser, mode === 'borrow' || !records ? source : records(source), by);
    } finally {
      pool.close();
    }
  }
}

function sizesOf(given: readonly number[] | undefined, length: number): readonly number[] {
  if (given === undefined) return SIZES.filter((size) => size * MOST_CHUNKS >= length);
  const fits = (size: unknown) => Number.isInteger(size) && (size as number) >= 1 && (size as number) <= 1024 * 1024;
  if (!Array.isArray(given) || given.length === 0 || !given.every(fits)) {
    throw invalidArg(`${CALL}, option 'chunkSizes'`, 'an array of integers from 1 to 1048576 (bytes)', given);
  }
  return given;
}

/**
 * The input in chunks of one length. It does not read ahead, so that each chunk is released before the next one is written: a view that
 * was kept is found out, and not by chance.
 */
class CutSource implements ChunkSource {
  readonly pool: BufferPool;
  readonly #input: Uint8Array;
  readonly #size: number;

  constructor(pool: BufferPool, input: Uint8Array, size: number) {
    this.pool = pool;
    this.#input = input;
    this.#size = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void> {
    for (let at = 0; at < this.#input.length; at += this.#size) {
      const part = this.#input.subarray(at, at + this.#size);
      const lease = this.pool.acquire(part.length);
      lease.bytes.set(part);
      yield chunkOf(lease, 0, part.length);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

async function outcomeOf(makeParser: MakeParser, input: FeedInput, mode: FeedMode): Promise<Outcome> {
  const values: unknown[] = [];
  const atOnce: unknown[] = [];
  const emit = (value: unknown) => {
    values.push(value);
    atOnce.push(snapshot(value));
  };
  let error: unknown = null;
  try {
    const parser = makeParser(emit);
    const ended: Promise<unknown> = isWritable(parser) ? finished(parser) : Promise.resolve();
    if (isWritable(parser) && isReadable(parser)) (parser as unknown as Readable).on('data', emit);
    await Promise.all([feed(parser, input, mode), ended]);
  } catch (thrown) {
    error = thrown ?? new Error('without a reason');
  }
  return { atOnce: joined(atOnce), inTheEnd: joined(values.map(snapshot)), error };
}

/** What cannot be cloned, such as detached memory, is a text that says so. */
function snapshot(value: unknown): unknown {
  try {
    return deserialize(serialize(value));
  } catch (error) {
    return String(error);
  }
}

/** Where a stream of bytes is cut is no matter of it. */
function joined(values: unknown[]): unknown[] {
  const all: unknown[] = [];
  let parts: Uint8Array[] = [];
  const flush = () => {
    if (parts.length > 0) all.push(Buffer.concat(parts));
    parts = [];
  };
  for (const value of values) {
    if (value instanceof Uint8Array) {
      parts.push(value);
    } else {
      flush();
      all.push(value);
    }
  }
  flush();
  return all;
}

function difference(expected: unknown[], got: unknown[]): string | null {
  if (expected.length !== got.length) return `it handed out ${got.length} values, and ${expected.length} with copies`;
  const at = expected.findIndex((value, i) => !isDeepStrictEqual(value, got[i]));
  return at === -1 ? null : `value ${at} (from 0) differs from what it is with copies`;
}
