/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */

export type { Bytes } from '../base/runtime.js';
export type { ByteWindow } from './byte-window.js';
export { type Chunk, type ChunkSource, type ChunkSourceSync, chunkOf, type Span } from './chunk.js';
export type { FileLike, FileOptions, FileSyncOptions, OpenFile } from './files/file-options.js';
export { fromFile } from './files/file-source.js';
export { fromFileSync } from './files/file-source-sync.js';
export { readWhole, readWholeSync } from './files/whole-file.js';
export { type CheckParserOptions, checkParser, type MakeParser, type ParserCheck } from './parsers/check-parser.js';
export { type FeedInput, type FeedMode, type FeedOptions, feed, type PushParser } from './parsers/feed.js';
export { ByteReader, ByteReaderSync } from './read/byte-reader.js';
export type { OnTooLong } from './read/delimited-batch.js';
export type { Measure } from './read/framed-batch.js';
export type { PrefixOptions } from './read/prefix.js';
export type { RecordBatch } from './read/record-batch.js';
export {
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
} from './read/records.js';
export { connect } from './sockets/connect.js';
export type { ReceivedBytes } from './sockets/received-bytes.js';
export type { ReceiveOptions, Receiver } from './sockets/receiver.js';
export { receive, type Serving, serve } from './sockets/serve.js';
export type { ByteInput } from './streams/byte-input.js';
export type { Chunks } from './streams/chunk-cursor.js';
export { type CollectOptions, collect } from './streams/collect.js';
export { type PumpOptions, pump } from './streams/pump.js';
export { type FromReadableOptions, fromReadable } from './streams/readable-source.js';
export { toIter, toReadable, toReadableUnsafe, toWeb } from './streams/to-streams.js';
export { ByteWriter } from './write/byte-writer.js';
export type { Encoder } from './write/encoder.js';
export type { FlushOptions, FlushTarget } from './write/flush-queue.js';
export type { Endian, Hole, HoleSize } from './write/hole.js';
export { msgpackrEncoder, type PackrLike } from './write/msgpackr-encoder.js';
export type { ByteWriterOptions } from './write/segment-chain.js';
