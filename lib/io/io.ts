/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */
export { ByteWriter } from './byte-writer.js';
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
export type { Encoder } from './encoder.js';
export type { FlushOptions, FlushTarget } from './flush-queue.js';
export type { Endian, Hole, HoleSize } from './hole.js';
export { msgpackrEncoder, type PackrLike } from './msgpackr-encoder.js';
export type { ByteWriterOptions } from './segment-chain.js';
