import { Socket } from 'node:net';
import type { Bytes } from '../../base/runtime.js';

/** Names of those properties of a socket that its option `onread` sets: the socket reads into memory of its user's. */
interface Names {
  readonly buffer: symbol;
  readonly generate: symbol;
  readonly callback: symbol;
}

/** What takes a socket's bytes by `onread`. */
export interface Reading {
  /** Where the next read goes. */
  next(): Uint8Array;
  /** Bytes have been read; false: no more for now. */
  read(length: number, bytes: Uint8Array): boolean;
}

/** Undefined until it was found out, null if this Node.js keeps `onread` in another way. */
let names: Names | null | undefined;

/** Finds by their values, on a socket that never connects, where this Node.js keeps the option. */
function findNames(): Names | null {
  const generate = () => Buffer.alloc(1);
  const callback = () => true;
  const plain = new Socket() as unknown as Record<symbol, unknown>;
  const socket = new Socket({ onread: { buffer: generate, callback } }) as unknown as Record<symbol, unknown>;
  const set = Object.getOwnPropertySymbols(socket).filter((name) => socket[name] !== plain[name]);
  const found = (value: unknown) => set.find((name) => socket[name] === value && plain[name] === null);
  const [one, two, three] = [found(true), found(generate), found(callback)];
  if (one === undefined || two === undefined || three === undefined) return null;
  return { buffer: one, generate: two, callback: three };
}

let allowed = true;

/**
 * For tests: whether accepted sockets may read into memory of ours.
 * @internal
 */
export function allowUserBuffers(allow: boolean): void {
  allowed = allow;
}

/** Whether sockets that a server has accepted can read into memory of ours in this Node.js. */
export function hasUserBuffers(): boolean {
  if (names === undefined) names = findNames();
  return allowed && names !== null;
}

/**
 * Gives a socket that was accepted, and has read nothing yet, the option `onread`, which `createServer()` does not take.
 * @returns whether it has it now
 */
export function readIntoUserBuffers(socket: Socket, reading: Reading): boolean {
  if (!hasUserBuffers() || socket.readableLength > 0) return false;
  const { buffer, generate, callback } = names as Names;
  const inside = socket as unknown as {
    [name: symbol]: unknown;
    _handle?: { useUserBuffer?(bytes: Uint8Array): void } | null;
  };
  // TLS has other handles, below which bytes are not plain yet.
  if (inside[buffer] !== null || 'encrypted' in socket || typeof inside._handle?.useUserBuffer !== 'function') {
    return false;
  }
  const first = reading.next();
  inside._handle.useUserBuffer(first);
  inside[buffer] = first;
  inside[generate] = () => reading.next();
  inside[callback] = (length: number, bytes: Uint8Array) => reading.read(length, bytes);
  return true;
}

/** Bytes of one read: what Node.js itself reads at once. */
export const READ_BYTES = 64 * 1024;

let shared: Bytes | undefined;

/** The memory that the reads of all sockets of this thread go into, one after the other. */
export function sharedBuffer(): Bytes {
  shared ??= Buffer.allocUnsafeSlow(READ_BYTES);
  return shared;
}
