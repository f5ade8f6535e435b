/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */

export type { ByteInput } from './byte-input.js';
export { ByteReader, ByteReaderSync } from './byte-reader.js';
export type { ByteWindow } from './byte-window.js';
export {
  type CheckParserOptions,
  checkParser,
  type MakeParser,
  type ParserCheck,
} from './check-parser.js';
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
export type { Chunks } from './chunk-cursor.js';
export { type CollectOptions, collect } from './collect.js';
export type { OnTooLong } from './delimited-batch.js';
export { type FeedInput, type FeedMode, type FeedOptions, feed, type PushParser } from './feed.js';
export type { FileLike, FileOptions, FileSyncOptions } from './file-options.js';
export { fromFile } from './file-source.js';
export { fromFileSync } from './file-source-sync.js';
export type { Measure } from './framed-batch.js';
export type { PrefixOptions } from './prefix.js';
export { type PumpOptions, pump } from './pump.js';
export { type FromReadableOptions, fromReadable } from './readable-source.js';
export type { RecordBatch } from './record-batch.js';
export {
  type ChunkSourceSync,
  type DelimiterOptions,
  delimited,
  delimitedBatch,
  delimitedSync,
  type FixedOptions,
  fixed,
  fixedBatch,
  fixedSync,
  frameBatch,
  frames,
  framesSync,
  type LineOptions,
  lengthPrefixed,
  lengthPrefixedSync,
  lineBatch,
  lines,
  linesSync,
  prefixedBatch,
  type RecordOptions,
} from './records.js';
export { toIter, toReadable, toReadableUnsafe, toWeb } from './to-streams.js';
export { readWhole, readWholeSync } from './whole-file.js';
