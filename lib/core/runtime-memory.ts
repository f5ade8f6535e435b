import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { type Bytes, outside } from '../base/runtime.js';

/**
 * ArrayBuffers of the runtime's own memory that blocks of this thread have, or had: those of the TypeScript core, and oversize ones.
 * JavaScript cannot see whether two of them are over the same memory. What is not among these was never a lease's `buffer`, so that no
 * two blocks come to share one.
 */
const known = new WeakSet<ArrayBuffer>();

/** Notes the memory of a block that was made, or moved, here. */
export function ownMemory(bytes: Bytes): Bytes {
  known.add(bytes.buffer);
  return bytes;
}

/** Takes `bytes` for those of a block whose ArrayBuffer was transferred, if they can be; whether it has. */
export function takeBack(bytes: Bytes, capacity: number): boolean {
  if (bytes.length !== capacity || known.has(bytes.buffer)) return false;
  known.add(bytes.buffer);
  return true;
}

let mover: MessageChannel | undefined;

/** Moves memory to a new ArrayBuffer. Not by `structuredClone()`, which is missing where a browser is simulated. */
export function move(buffer: ArrayBuffer): ArrayBuffer {
  mover ??= outside(() => new MessageChannel());
  mover.port1.postMessage(buffer, [buffer]);
  return receiveMessageOnPort(mover.port2)?.message;
}
