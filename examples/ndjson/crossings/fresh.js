import { open as openFresh } from '../ways/fresh.js';
import { Dealer, listen } from './dealer.js';

/**
 * A new buffer for each block, transferred; the garbage collector of the thread that parses it gets it in the end.
 *
 * @returns {import('./crossing.js').Sender}
 */
export function open() {
  /** @type {Dealer<{ id: number }>} */
  const dealer = new Dealer(() => {});
  return {
    allocator: openFresh(),
    invite: () => dealer.invite(),
    send: (block) => dealer.deal(block),
    end: () => dealer.end(),
  };
}

/**
 * @param {import('node:worker_threads').MessagePort} port
 * @returns {import('./crossing.js').Receiver}
 */
export function join(port) {
  return {
    allocator: openFresh(),
    receive: (take) =>
      listen(port, ({ id, start, end, buffer }) => {
        take(Buffer.from(buffer), start, end);
        port.postMessage({ id });
      }),
  };
}
