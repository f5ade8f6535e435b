import type { Bytes } from '../base/runtime.js';

/**
 * ArrayBuffers of the runtime's own memory that blocks of this thread have, or had: those of the TypeScript core, and oversize ones.
 * JavaScript cannot see whether two of them are over the same memory. What is not among these was never a lease's `buffer`, so that no
 * two blocks come to share one.
 */
const known = new WeakSet<ArrayBuffer>();

/** For a block that was made, or moved, here. */
export function ownMemory(bytes: Bytes): Bytes {
  known.add(bytes.buffer);
  return bytes;
}

/** Whether these may be the bytes of a block whose ArrayBuffer was transferred. Then they are, from now on. */
export function takeBack(bytes: Bytes, capacity: number): boolean {
  if (bytes.length !== capacity || known.has(bytes.buffer)) return false;
  known.add(bytes.buffer);
  return true;
}
