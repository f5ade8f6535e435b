import { MemPool } from '@thi.ng/malloc';
import bufferReusePool from 'buffer-reuse-pool';
import { BufferPool } from 'slabpool';
import typedarrayPool from 'typedarray-pool';
import { FairPool } from './baseline/fair.js';
import { NaivePool } from './baseline/naive.js';
import { NativePerAcquire } from './native-per-acquire.js';

/**
 * A way to get buffers, as source text: each benchmark compiles a loop of its own for each contender, so that no call site of
 * the harness ever sees two of them.
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} acquire an expression of `pool` and `size`: what is held
 * @property {string} bytes an expression of `held`: the bytes
 * @property {string} release a statement about `held`
 * @property {(warmUp: boolean) => unknown} open makes the `pool`; for warming up, one with other options
 * @property {(pool: any) => void} [close] gives back what the garbage collector does not
 */

const MiB = 2 ** 20;

/** @type {Contender} */
export const slabpool = {
  name: 'slabpool',
  acquire: 'pool.acquire(size)',
  bytes: 'held.bytes',
  release: 'held.release();',
  open: (warmUp) => new BufferPool(warmUp ? { maxBytes: 128 * MiB, zero: 'acquire' } : {}),
  close: (/** @type {BufferPool} */ pool) => pool.close(),
};

/** Over ordinary buffers, for what it matters where these lie. @type {Contender} */
export const typescriptCore = {
  ...slabpool,
  name: 'slabpool, TypeScript core',
  open: (warmUp) => new BufferPool({ backend: 'js', ...(warmUp ? { maxBytes: 128 * MiB, zero: 'acquire' } : {}) }),
};

/** @type {Contender} */
export const naive = {
  name: 'naive JS pool',
  acquire: 'pool.acquire(size)',
  bytes: 'held',
  release: 'pool.release(held);',
  open: () => new NaivePool(),
};

/** @type {Contender} */
export const fair = {
  name: 'fair JS pool',
  acquire: 'pool.acquire(size)',
  bytes: 'held.bytes',
  release: 'held.release();',
  open: (warmUp) => new FairPool(warmUp ? { maxBytes: 128 * MiB, maxOversizeBytes: MiB } : {}),
};

/** @type {Contender} */
export const typedarray = {
  name: 'typedarray-pool',
  acquire: 'pool.mallocUint8(size)',
  bytes: 'held',
  release: 'pool.freeUint8(held);',
  open: () => typedarrayPool,
};

/** Of one size each, so there is one for each power of two up to 1 MiB. @type {Contender} */
export const bufferReuse = {
  name: 'buffer-reuse-pool',
  acquire: 'pool.ofPower[32 - Math.clz32(size - 1)].alloc()',
  bytes: 'held',
  release: 'pool.free(held);',
  open: () => ({
    ofPower: Array.from({ length: 21 }, (_, power) => bufferReusePool.pool(2 ** power)),
    free: bufferReusePool.free,
  }),
};

/** An allocator within one ArrayBuffer, large enough for a thousand buffers of any of the mixes. @type {Contender} */
export const thingMalloc = {
  name: '@thi.ng/malloc',
  acquire: "pool.mallocAs('u8', size)",
  bytes: 'held',
  release: 'pool.free(held);',
  open: () => new MemPool({ size: 16 * MiB }),
};

/** @type {Contender} */
export const nativePerAcquire = {
  name: 'native call per acquire',
  acquire: 'pool.acquire(size)',
  bytes: 'held.bytes',
  release: 'pool.release(held);',
  open: () => new NativePerAcquire(),
  close: (/** @type {NativePerAcquire} */ pool) => pool.close(),
};

/** @param {string} name @param {string} expression @returns {Contender} */
const fresh = (name, expression) => ({ name, acquire: expression, bytes: 'held', release: '', open: () => null });

export const allocUnsafe = fresh('Buffer.allocUnsafe', 'Buffer.allocUnsafe(size)');
export const allocUnsafeSlow = fresh('Buffer.allocUnsafeSlow', 'Buffer.allocUnsafeSlow(size)');
export const arrayBuffer = fresh('new ArrayBuffer', 'new Uint8Array(new ArrayBuffer(size))');
/** With room to double. Nothing grows here: it is there to tell what the room costs. */
export const resizable = fresh(
  'new ArrayBuffer, resizable',
  'new Uint8Array(new ArrayBuffer(size, { maxByteLength: 2 * size }))',
);

export const all = [
  slabpool,
  typescriptCore,
  naive,
  fair,
  typedarray,
  bufferReuse,
  thingMalloc,
  nativePerAcquire,
  allocUnsafe,
  allocUnsafeSlow,
  arrayBuffer,
  resizable,
];

/** Writes the first and the last byte, and reads one, so that no work can be left out. */
export const TOUCH = 'bytes[0] = i; bytes[bytes.length - 1] = i; sink += bytes[0];';
