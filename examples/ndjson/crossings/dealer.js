import { once } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { AHEAD } from './crossing.js';

/** @import { Block } from '../blocks.js' */

/** @typedef {{ id: number, start: number, end: number, buffer: ArrayBuffer }} Message */

/**
 * Posts buffers to threads: each to the one that has the fewest of them. A thread answers each with its id.
 *
 * Identity: `unanswered` of all hands together is what was dealt and not answered yet.
 *
 * @template {{ id: number }} Answer
 */
export class Dealer {
  /** @type {{ port: import('node:worker_threads').MessagePort, unanswered: number }[]} */
  #hands = [];
  /** @type {(() => void) | undefined} */
  #wake;
  #dealt = 0;
  #onAnswer;

  /** @param {(answer: Answer) => void} onAnswer */
  constructor(onAnswer) {
    this.#onAnswer = onAnswer;
  }

  invite() {
    const { port1: port, port2: data } = new MessageChannel();
    const hand = { port, unanswered: 0 };
    port.on('message', (/** @type {Answer} */ answer) => {
      hand.unanswered--;
      this.#onAnswer(answer);
      this.#wake?.();
    });
    this.#hands.push(hand);
    return { data, transferList: [data] };
  }

  /**
   * @param {Block} block all of an ArrayBuffer, which is detached when this resolves
   * @param {(id: number) => void} [onId] before it is posted
   */
  async deal({ holding, start, end }, onId) {
    let hand = this.#lightest();
    while (hand.unanswered === AHEAD) {
      await new Promise((resolve) => {
        this.#wake = () => resolve(undefined);
      });
      hand = this.#lightest();
    }
    hand.unanswered++;
    const id = ++this.#dealt;
    onId?.(id);
    const buffer = /** @type {ArrayBuffer} */ (holding.bytes.buffer);
    hand.port.postMessage({ id, start, end, buffer }, [buffer]);
  }

  #lightest() {
    return this.#hands.reduce((best, hand) => (hand.unanswered < best.unanswered ? hand : best));
  }

  end() {
    for (const { port } of this.#hands) port.postMessage(null);
  }
}

/**
 * The other end of an invitation.
 *
 * @param {import('node:worker_threads').MessagePort} port
 * @param {(message: Message) => void} onMessage
 */
export async function listen(port, onMessage) {
  port.on('message', (/** @type {Message | null} */ message) => {
    if (message === null) port.close();
    else onMessage(message);
  });
  await once(port, 'close');
}
