/** `slabpool/io`: readers and writers for parsers, on leases of a pool. */
export { type Chunk, type ChunkSource, chunkOf, type Span } from './chunk.js';
export { connect } from './connect.js';
export type { ReceivedBytes } from './received-bytes.js';
export type { ReceiveOptions, Receiver } from './receiver.js';
export { receive, type Serving, serve } from './serve.js';
