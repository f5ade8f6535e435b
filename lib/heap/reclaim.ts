import { types } from 'node:util';
import type { Bytes } from '../base/bytes.js';
import { invalidArg, SlabPoolError } from '../errors.js';

/**
 * All the bytes of what a BYOB read, or `transfer()`, returned for a lease of so many.
 * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_FOREIGN_BUFFER`
 */
export function returnedBytes(memory: ArrayBuffer | ArrayBufferView, capacity: number, pool: string): Bytes {
  const buffer: unknown = ArrayBuffer.isView(memory) ? memory.buffer : memory;
  if (!types.isArrayBuffer(buffer)) {
    throw invalidArg('reclaim(memory)', 'an ArrayBuffer, or a view of one, that a read returned', memory, pool);
  }
  // A resizable one has not been a lease's; a detached one has a length of 0.
  if (buffer.byteLength !== capacity || (buffer as { resizable?: boolean }).resizable) {
    throw foreignBuffer(buffer.byteLength, capacity, pool);
  }
  return Buffer.from(buffer);
}

export function foreignBuffer(givenBytes: number, capacityBytes: number, pool: string): SlabPoolError {
  return new SlabPoolError(
    'ERR_SLABPOOL_FOREIGN_BUFFER',
    `expected what the read returned that lease.bytes was given to: an ArrayBuffer of ${capacityBytes} bytes over the lease's own memory; ` +
      `got one of ${givenBytes} bytes that is not. Pass the value of that read, or release the lease, whose memory is then lost to the pool`,
    { pool, details: { givenBytes, capacityBytes } },
  );
}
