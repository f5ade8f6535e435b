import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import { BufferPool } from '../../pool.js';
import type { ReceivedBytes } from './received-bytes.js';

/**
 * What becomes of the bytes that a socket receives.
 *
 * ```ts
 * data(reader) {
 *   while (reader.read(4)) {
 *     const length = reader.bytes.readUInt32LE(reader.start);
 *     if (!reader.read(4 + length)) return;
 *     handle(reader.bytes, reader.start + 4, reader.start + 4 + length);
 *     reader.consume(4 + length);
 *   }
 * }
 * ```
 */
export interface Receiver {
  /**
   * As many bytes are there as were asked for. What is not consumed stays, and is there again with what comes next. If `take()` finds the
   * budget exhausted, let its error pass: the socket is paused until there is room, and `data()` called again. Any other error ends the
   * connection.
   * @param reader whose fields are good until `data()` returns: no `await`
   */
  data(reader: ReceivedBytes): void;
  /** The other side has ended, and everything it sent was consumed. */
  end?(): void;
  /**
   * An error of the socket's, what `data()` or `end()` threw, `ERR_SLABPOOL_TRUNCATED`; the socket is destroyed. Without this method, it
   * is an event 'error' of the socket, which ends the process if nobody listens: whoever connects can bring it about.
   */
  error?(error: Error): void;
  /** The socket is closed, and everything was released. */
  close?(): void;
}

/** Options of `serve()`, `connect()` and `receive()`. */
export interface ReceiveOptions {
  /** The most bytes that `read(atLeast)` may ask for, headers included: nothing is acquired for more. Default: 1 MiB. */
  maxLength?: number;
}

/** Connections that wait for a lease, and the bytes of theirs that lie in memory of no pool meanwhile. */
export interface Waits {
  connections: number;
  bytes: number;
}

/**
 * @param what the public function that was called
 * @returns the option `maxLength`
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkReceiving(what: string, pool: BufferPool, options: ReceiveOptions | undefined): number {
  if (!(pool instanceof BufferPool)) throw invalidArg(`${what}, pool`, 'a BufferPool', pool);
  const { maxLength = 1024 * 1024 } = checkOptions(what, options, ['maxLength'], pool.name);
  if (!Number.isSafeInteger(maxLength) || maxLength < 1) {
    throw invalidArg(`${what}, option 'maxLength'`, 'an integer from 1 (bytes)', maxLength, pool.name);
  }
  return maxLength;
}

/** @throws `ERR_SLABPOOL_INVALID_ARG` for what is no receiver */
export function checkReceiver(what: string, receiver: Receiver, pool: BufferPool): void {
  if (typeof receiver?.data !== 'function') throw invalidArg(what, 'an object with a method data', receiver, pool.name);
}
