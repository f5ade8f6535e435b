import type * as slabpool from '../dist/io/io.js' with { 'resolution-mode': 'import' };

export type * from '../dist/io/io.js' with { 'resolution-mode': 'import' };
export declare const chunkOf: typeof slabpool.chunkOf;
export declare const collect: typeof slabpool.collect;
export declare const fromReadable: typeof slabpool.fromReadable;
export declare const pump: typeof slabpool.pump;
export declare const toIter: typeof slabpool.toIter;
export declare const toReadable: typeof slabpool.toReadable;
export declare const toReadableUnsafe: typeof slabpool.toReadableUnsafe;
export declare const toWeb: typeof slabpool.toWeb;
