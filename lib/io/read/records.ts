import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import type { ChunkSource, ChunkSourceSync } from '../chunk.js';
import { ByteReader, ByteReaderSync } from './byte-reader.js';
import { DelimitedBatch, type OnTooLong } from './delimited-batch.js';
import { FramedBatch, type Measure } from './framed-batch.js';
import { type PrefixOptions, prefixMeasure } from './prefix.js';
import type { RecordBatch } from './record-batch.js';

/** Bytes of the longest record, unless an option says otherwise. */
const DEFAULT_MAX_LENGTH = 1024 * 1024;

/** Limits of records. */
export interface RecordOptions {
  /** Bytes of the longest record, without its delimiter or prefix: an integer from 1 to 2^31 - 1. Default: 1 MiB. */
  maxLength?: number;
}

/** Options of lines. */
export interface LineOptions extends RecordOptions {
  /** Whether a CR before the LF is no part of the line. Default: true. */
  crlf?: boolean;
  /** What to do with a line that is too long: an error, or leave it out. Default: `'throw'`. */
  onTooLong?: OnTooLong;
}

/** Options of records that end with a delimiter. */
export interface DelimiterOptions extends RecordOptions {
  /** What ends a record: the value of a byte, a text, or bytes. */
  delimiter: number | string | Uint8Array;
  /** As {@link LineOptions.onTooLong}. */
  onTooLong?: OnTooLong;
}

/** Options of records that are all of one size. */
export interface FixedOptions {
  /** Bytes of a record: an integer from 1 to 2^31 - 1. */
  size: number;
}

/**
 * For lines, as `lines()` has them, in a reader of yours: `batch.split(reader)`.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function lineBatch(options?: LineOptions): RecordBatch {
  return lineBatchOf('lineBatch(options)', options);
}

/** As {@link lineBatch}, for `delimited()`. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function delimitedBatch(options: DelimiterOptions): RecordBatch {
  return delimitedBatchOf('delimitedBatch(options)', options);
}

/** As {@link lineBatch}, for `fixed()`. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function fixedBatch(options: FixedOptions): RecordBatch {
  return fixedBatchOf('fixedBatch(options)', options);
}

/** As {@link lineBatch}, for `lengthPrefixed()`. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function prefixedBatch(options?: PrefixOptions & RecordOptions): RecordBatch {
  return prefixedBatchOf('prefixedBatch(options)', options);
}

/** As {@link lineBatch}, for `frames()`. @throws `ERR_SLABPOOL_INVALID_ARG` */
export function frameBatch(measure: Measure, options?: RecordOptions): RecordBatch {
  return frameBatchOf('frameBatch(measure, options)', measure, options);
}

/**
 * The lines of an input, without their LF or CRLF, in batches. The last one may end with the input. The source is closed at the end, at
 * an error, and when the iteration is left early.
 * @throws `ERR_SLABPOOL_INVALID_ARG`. While it is gone through: `ERR_SLABPOOL_TOO_LONG`, and as {@link ByteReader.read}
 */
export function lines(source: ChunkSource, options?: LineOptions): AsyncGenerator<RecordBatch, void> {
  return batches(source, lineBatchOf('lines(source, options)', options));
}

/** As {@link lines}, from a source that is read synchronously. */
export function linesSync(source: ChunkSourceSync, options?: LineOptions): Generator<RecordBatch, void> {
  return batchesSync(source, lineBatchOf('linesSync(source, options)', options));
}

/** Records that end with a delimiter; the last one may end with the input. Otherwise as {@link lines}. */
export function delimited(source: ChunkSource, options: DelimiterOptions): AsyncGenerator<RecordBatch, void> {
  return batches(source, delimitedBatchOf('delimited(source, options)', options));
}

/** As {@link delimited}, from a source that is read synchronously. */
export function delimitedSync(source: ChunkSourceSync, options: DelimiterOptions): Generator<RecordBatch, void> {
  return batchesSync(source, delimitedBatchOf('delimitedSync(source, options)', options));
}

/** Records of one size. Otherwise as {@link lines}, and `ERR_SLABPOOL_TRUNCATED` if the input ends within one. */
export function fixed(source: ChunkSource, options: FixedOptions): AsyncGenerator<RecordBatch, void> {
  return batches(source, fixedBatchOf('fixed(source, options)', options));
}

/** As {@link fixed}, from a source that is read synchronously. */
export function fixedSync(source: ChunkSourceSync, options: FixedOptions): Generator<RecordBatch, void> {
  return batchesSync(source, fixedBatchOf('fixedSync(source, options)', options));
}

/**
 * Records behind their lengths. Otherwise as {@link lines}, and `ERR_SLABPOOL_TRUNCATED` if the input ends within one,
 * `ERR_SLABPOOL_MALFORMED` for a length that cannot be.
 */
export function lengthPrefixed(
  source: ChunkSource,
  options?: PrefixOptions & RecordOptions,
): AsyncGenerator<RecordBatch, void> {
  return batches(source, prefixedBatchOf('lengthPrefixed(source, options)', options));
}

/** As {@link lengthPrefixed}, from a source that is read synchronously. */
export function lengthPrefixedSync(
  source: ChunkSourceSync,
  options?: PrefixOptions & RecordOptions,
): Generator<RecordBatch, void> {
  return batchesSync(source, prefixedBatchOf('lengthPrefixedSync(source, options)', options));
}

/** Frames of a protocol of yours, header and all. Otherwise as {@link lengthPrefixed}. */
export function frames(
  source: ChunkSource,
  measure: Measure,
  options?: RecordOptions,
): AsyncGenerator<RecordBatch, void> {
  return batches(source, frameBatchOf('frames(source, measure, options)', measure, options));
}

/** As {@link frames}, from a source that is read synchronously. */
export function framesSync(
  source: ChunkSourceSync,
  measure: Measure,
  options?: RecordOptions,
): Generator<RecordBatch, void> {
  return batchesSync(source, frameBatchOf('framesSync(source, measure, options)', measure, options));
}

function batches(source: ChunkSource, batch: RecordBatch): AsyncGenerator<RecordBatch, void> {
  return goThrough(new ByteReader(source), batch);
}

async function* goThrough(reader: ByteReader, batch: RecordBatch): AsyncGenerator<RecordBatch, void> {
  try {
    for (;;) {
      if (batch.split(reader)) yield batch;
      else if (reader.ended) return;
      else await reader.read(batch.wanted);
    }
  } finally {
    batch.leave();
    await reader.close();
  }
}

function batchesSync(source: ChunkSourceSync, batch: RecordBatch): Generator<RecordBatch, void> {
  return goThroughSync(new ByteReaderSync(source), batch);
}

function* goThroughSync(reader: ByteReaderSync, batch: RecordBatch): Generator<RecordBatch, void> {
  try {
    for (;;) {
      if (batch.split(reader)) yield batch;
      else if (reader.ended) return;
      else reader.read(batch.wanted);
    }
  } finally {
    batch.leave();
    reader.close();
  }
}

function lineBatchOf(what: string, given: LineOptions | undefined): RecordBatch {
  const options = checkOptions(what, given, ['crlf', 'maxLength', 'onTooLong']);
  const { crlf = true } = options;
  if (typeof crlf !== 'boolean') throw invalidArg(`${what}, option 'crlf'`, 'a boolean', crlf);
  return new DelimitedBatch(10, crlf, maxLengthOf(what, options), onTooLongOf(what, options.onTooLong));
}

function delimitedBatchOf(what: string, given: DelimiterOptions): RecordBatch {
  const options = checkOptions<DelimiterOptions>(what, given ?? {}, ['delimiter', 'maxLength', 'onTooLong']);
  const delimiter = delimiterOf(what, options.delimiter);
  return new DelimitedBatch(delimiter, false, maxLengthOf(what, options), onTooLongOf(what, options.onTooLong));
}

function fixedBatchOf(what: string, given: FixedOptions): RecordBatch {
  const { size } = checkOptions<FixedOptions>(what, given ?? {}, ['size']);
  checkLength(`${what}, option 'size'`, size as number);
  return new FramedBatch(() => size as number, 0, size as number);
}

function prefixedBatchOf(what: string, given: (PrefixOptions & RecordOptions) | undefined): RecordBatch {
  const options = checkOptions(what, given, ['prefix', 'endian', 'inclusive', 'maxLength']);
  const { measure, header } = prefixMeasure(what, options);
  return new FramedBatch(measure, header, maxLengthOf(what, options));
}

function frameBatchOf(what: string, measure: Measure, given: RecordOptions | undefined): RecordBatch {
  if (typeof measure !== 'function') throw invalidArg(`${what}, measure`, 'a function', measure);
  return new FramedBatch(measure, 0, maxLengthOf(what, checkOptions(what, given, ['maxLength'])));
}

function delimiterOf(what: string, given: unknown): number | Uint8Array {
  if (typeof given === 'number' && Number.isInteger(given) && given >= 0 && given <= 255) return given;
  const bytes = typeof given === 'string' ? Buffer.from(given) : given;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) {
    throw invalidArg(
      `${what}, option 'delimiter'`,
      'a byte from 0 to 255, or a text or bytes that are not empty',
      given,
    );
  }
  return bytes.length === 1 ? (bytes[0] as number) : Uint8Array.from(bytes);
}

function maxLengthOf(what: string, { maxLength = DEFAULT_MAX_LENGTH }: RecordOptions): number {
  return checkLength(`${what}, option 'maxLength'`, maxLength);
}

function checkLength(what: string, length: number): number {
  if (Number.isInteger(length) && length >= 1 && length < 2 ** 31) return length;
  throw invalidArg(what, 'an integer from 1 to 2^31 - 1 (bytes)', length);
}

function onTooLongOf(what: string, given: OnTooLong = 'throw'): OnTooLong {
  if (given === 'throw' || given === 'skip') return given;
  throw invalidArg(`${what}, option 'onTooLong'`, "'throw' or 'skip'", given);
}
