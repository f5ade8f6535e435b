/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
