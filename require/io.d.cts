import type * as slabpool from '../dist/io/io.js' with { 'resolution-mode': 'import' };

export type * from '../dist/io/io.js' with { 'resolution-mode': 'import' };
export declare const ByteWriter: typeof slabpool.ByteWriter;
export type ByteWriter = slabpool.ByteWriter;
export declare const chunkOf: typeof slabpool.chunkOf;
export declare const msgpackrEncoder: typeof slabpool.msgpackrEncoder;
