import type { Server, Socket } from 'node:net';
import type { Bytes } from '../../base/runtime.js';
import { invalidArg } from '../../errors.js';
import type { BufferPool } from '../../pool.js';
import { checkReceiver, checkReceiving, type ReceiveOptions, type Receiver, type Waits } from './receiver.js';
import { Receiving } from './receiving.js';
import { hasUserBuffers, readIntoUserBuffers } from './user-buffer.js';

/** What {@link serve} does for its server. */
export interface Serving {
  /**
   * How bytes come: `'onread'`, sockets read into memory of ours; `'copy'`, Node.js reads into buffers of its own, and what is left of
   * them is copied. The latter for TLS, and in releases of Node.js that do not let accepted sockets do the former.
   */
  readonly mode: 'onread' | 'copy';
  /** Connections that are paused since the budget is exhausted. */
  readonly waiting: number;
  /** Bytes of theirs that lie in memory of no pool meanwhile: about 64 KiB each, and what there was of a frame. */
  readonly waitingBytes: number;
}

/**
 * Receives what the connections of a server send, on leases of `pool`: a connection holds one only while a frame is not whole. The server
 * is otherwise its user's: options, limits, `close()`; so is each socket, but for its data.
 * @param server of `node:net` or `node:tls`
 * @param make the receiver of each connection
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function serve(
  pool: BufferPool,
  server: Server,
  make: (connection: Socket) => Receiver,
  options?: ReceiveOptions,
): Serving {
  const what = 'serve(pool, server, make, options)';
  const maxLength = checkReceiving(what, pool, options);
  if (typeof server?.getConnections !== 'function') {
    throw invalidArg(`${what}, server`, 'a server of node:net or node:tls', server, pool.name);
  }
  if (typeof make !== 'function') throw invalidArg(`${what}, make`, 'a function', make, pool.name);
  const waits = { connections: 0, bytes: 0 };
  // Not by its class, which is there only in a Node.js with TLS.
  const secure = 'setSecureContext' in server;
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    try {
      const receiver = make(socket);
      checkReceiver(`${what}, what make returned`, receiver, pool);
      accept(socket, receiver, new Receiving(pool, maxLength, waits));
    } catch (error) {
      socket.destroy();
      throw error;
    }
  });
  return {
    get mode() {
      return !secure && hasUserBuffers() ? 'onread' : 'copy';
    },
    get waiting() {
      return waits.connections;
    },
    get waitingBytes() {
      return waits.bytes;
    },
  };
}

function accept(socket: Socket, receiver: Receiver, receiving: Receiving): void {
  // Before it flows, so that no read is on the way.
  const paused = readIntoUserBuffers(socket, receiving) && socket.isPaused();
  attach(socket, receiver, receiving);
  // Again: now this stops its reads as well.
  if (paused) socket.pause();
}

function attach(socket: Socket, receiver: Receiver, receiving: Receiving): void {
  receiving.attach(socket, receiver);
  // None comes from a socket that reads into memory of ours.
  socket.on('data', (bytes: Bytes) => receiving.copied(bytes));
}

/**
 * Receives what a socket gets that is open already, by copying: of TLS, of an HTTP upgrade.
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function receive(pool: BufferPool, socket: Socket, receiver: Receiver, options?: ReceiveOptions): void {
  const what = 'receive(pool, socket, receiver, options)';
  const maxLength = checkReceiving(what, pool, options);
  if (typeof socket?.isPaused !== 'function' || typeof socket.destroy !== 'function') {
    throw invalidArg(`${what}, socket`, 'a socket', socket, pool.name);
  }
  checkReceiver(`${what}, receiver`, receiver, pool);
  const waits: Waits = { connections: 0, bytes: 0 };
  attach(socket, receiver, new Receiving(pool, maxLength, waits));
}
