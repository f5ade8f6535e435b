import type * as slabpool from '../dist/io/io.js' with { 'resolution-mode': 'import' };

export type * from '../dist/io/io.js' with { 'resolution-mode': 'import' };
export declare const chunkOf: typeof slabpool.chunkOf;
export declare const connect: typeof slabpool.connect;
export declare const receive: typeof slabpool.receive;
export declare const serve: typeof slabpool.serve;
