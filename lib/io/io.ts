/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */
export type { ByteInput } from './byte-input.js';
export { ByteReader, ByteReaderSync } from './byte-reader.js';
export type { ByteWindow } from './byte-window.js';
export { ByteWriter } from './byte-writer.js';
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
export type { Chunks } from './chunk-cursor.js';
export { type CollectOptions, collect } from './collect.js';
export { connect } from './connect.js';
export type { OnTooLong } from './delimited-batch.js';
export type { Encoder } from './encoder.js';
export type { FileLike, FileOptions, FileSyncOptions } from './file-options.js';
export { fromFile } from './file-source.js';
export { fromFileSync } from './file-source-sync.js';
export type { FlushOptions, FlushTarget } from './flush-queue.js';
export type { Measure } from './framed-batch.js';
export type { Endian, Hole, HoleSize } from './hole.js';
export { msgpackrEncoder, type PackrLike } from './msgpackr-encoder.js';
export type { PrefixOptions } from './prefix.js';
export { type PumpOptions, pump } from './pump.js';
export { type FromReadableOptions, fromReadable } from './readable-source.js';
export type { ReceivedBytes } from './received-bytes.js';
export type { ReceiveOptions, Receiver } from './receiver.js';
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
export type { ByteWriterOptions } from './segment-chain.js';
export { receive, type Serving, serve } from './serve.js';
export { toIter, toReadable, toReadableUnsafe, toWeb } from './to-streams.js';
export { readWhole, readWholeSync } from './whole-file.js';
