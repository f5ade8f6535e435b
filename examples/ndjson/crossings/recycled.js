/** @import { Holding } from '../allocator.js' */
import { open as openFair } from '../ways/fair.js';
import { Dealer, listen } from './dealer.js';

/**
 * The plain JS pool, and its buffers transferred there and back.
 *
 * @returns {import('./crossing.js').Sender}
 */
export function open() {
  const allocator = openFair();
  /** @type {Map<number, Holding>} */
  const away = new Map();
  /** @type {Dealer<{ id: number, buffer: ArrayBuffer }>} */
  const dealer = new Dealer(({ id, buffer }) => {
    const holding = /** @type {Holding} */ (away.get(id));
    away.delete(id);
    // Another ArrayBuffer than before, over the same memory.
    holding.bytes = Buffer.from(buffer);
    holding.release();
  });
  return {
    allocator,
    invite: () => dealer.invite(),
    send: (block) => dealer.deal(block, (id) => away.set(id, block.holding)),
    end: () => dealer.end(),
  };
}

/**
 * @param {import('node:worker_threads').MessagePort} port
 * @returns {import('./crossing.js').Receiver}
 */
export function join(port) {
  return {
    allocator: openFair(),
    receive: (take) =>
      listen(port, ({ id, start, end, buffer }) => {
        take(Buffer.from(buffer), start, end);
        port.postMessage({ id, buffer }, [buffer]);
      }),
  };
}
