import { connect as connectSocket, type NetConnectOpts, type Socket } from 'node:net';
import { invalidArg } from '../../errors.js';
import type { BufferPool } from '../../pool.js';
import { checkReceiver, checkReceiving, type ReceiveOptions, type Receiver } from './receiver.js';
import { Receiving } from './receiving.js';

/**
 * Connects as `net.connect()` does, and receives what the server sends, on leases of `pool`.
 * @param to options of `net.connect()`, but for `onread`
 * @throws `ERR_SLABPOOL_INVALID_ARG`, and as `net.connect()`
 */
export function connect(pool: BufferPool, to: NetConnectOpts, receiver: Receiver, options?: ReceiveOptions): Socket {
  const what = 'connect(pool, to, receiver, options)';
  const maxLength = checkReceiving(what, pool, options);
  if (typeof to !== 'object' || to === null || to.onread !== undefined) {
    throw invalidArg(`${what}, to`, 'options of net.connect() without onread', to, pool.name);
  }
  checkReceiver(`${what}, receiver`, receiver, pool);
  const receiving = new Receiving(pool, maxLength, { connections: 0, bytes: 0 });
  const socket = connectSocket({
    ...to,
    onread: {
      buffer: () => receiving.next(),
      callback: (length, bytes) => receiving.read(length, bytes),
    },
  });
  receiving.attach(socket, receiver);
  return socket;
}
