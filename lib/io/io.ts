/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
export type { Chunks } from './chunk-cursor.js';
export { type CollectOptions, collect } from './collect.js';
export type { ByteInput } from './feed.js';
export { type PumpOptions, pump } from './pump.js';
export { type FromReadableOptions, fromReadable } from './readable-source.js';
export { toIter, toReadable, toReadableUnsafe, toWeb } from './to-streams.js';
