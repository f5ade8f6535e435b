/** @import { BufferPool, Lease } from 'slabpool' */
/** @import { Socket } from 'node:net' */
/** @import { Joining, Tally } from './protocol.js' */
import { Worker } from 'node:worker_threads';
import { Channel } from 'slabpool';

/** A worker thread and the channel to it. */
export class Lane {
  #requests;
  #worker;
  #senders = 0;
  /** Times that reading from a socket was stopped. */
  pauses = 0;
  /** @type {Tally | undefined} */
  tally;
  /** It has attached to pool and channels. */
  ready;
  /** It has ended; fulfilled with the reason if that was not asked for. */
  exit;

  /**
   * @param {BufferPool} pool
   * @param {Channel} replies
   * @param {number} capacity
   * @param {number} maxRecord
   */
  constructor(pool, replies, capacity, maxRecord) {
    this.#requests = new Channel(pool, { capacity });
    /** @type {Joining} */
    const workerData = { pool: pool.handle, requests: this.#requests.handle, replies: replies.handle, maxRecord };
    this.#worker = new Worker(new URL('worker.js', import.meta.url), { workerData });
    /** @type {Error | undefined} */
    let thrown;
    this.#worker.on('error', (/** @type {Error} */ error) => {
      thrown = error;
    });
    this.exit = new Promise((/** @type {(reason: Error | undefined) => void} */ resolve) => {
      this.#worker.on('exit', (code) => {
        if (this.tally) resolve(undefined);
        else resolve(thrown ?? new Error(`a worker ended with code ${code}`));
      });
    });
    this.ready = new Promise((/** @type {(ready: true) => void} */ resolve) => {
      this.#worker.on('message', (/** @type {'ready' | Tally} */ message) => {
        if (message === 'ready') resolve(true);
        else this.tally = message;
      });
    });
  }

  /**
   * @param {Lease} lease
   * @param {number} length
   * @param {number} stream
   */
  trySend(lease, length, stream) {
    // Nobody overtakes those who wait.
    if (this.#senders > 0) return false;
    try {
      return this.#requests.trySend(lease, length, stream);
    } catch {
      // The worker is gone: `exit` tells why, and `send` says so to the caller.
      return false;
    }
  }

  /**
   * @param {Lease} lease
   * @param {number} length
   * @param {number} stream
   * @returns {Promise<boolean>} false: the worker is gone, and the lease still the caller's
   */
  async send(lease, length, stream) {
    this.#senders++;
    try {
      await this.#requests.send(lease, length, stream);
      return true;
    } catch {
      return false;
    } finally {
      this.#senders--;
    }
  }

  /** @param {Socket} socket */
  pause(socket) {
    if (socket.isPaused()) return;
    this.pauses++;
    socket.pause();
  }

  /** The worker ends when it has received what was sent. */
  close() {
    this.#requests.close();
  }

  leave() {
    this.#requests.leave();
  }
}
