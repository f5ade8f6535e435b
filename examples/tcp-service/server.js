/** @import { AddressInfo } from 'node:net' */
/** @import { BufferPool } from 'slabpool' */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Channel } from 'slabpool';
import { Connection } from './connection.js';
import { Intake } from './intake.js';
import { Lane } from './lane.js';
import { sharesOf } from './shares.js';

const HOST = '127.0.0.1';

/**
 * @typedef {object} ServiceOptions
 * @property {number} [workers] threads that parse; default 2
 * @property {number} [port] default: one that is free
 * @property {number} [maxRecord] bytes of the longest record; default 64 KiB
 * @property {number} [maxConnections] at once; more are refused. Default 1024
 * @property {number} [stallMs] a client that does not read its replies for so long is hung up on; default 30 s
 */

/**
 * @param {BufferPool} pool of `openPool()`; the caller's, also to close
 * @param {ServiceOptions} [options]
 */
export async function startService(pool, options = {}) {
  const service = new Service(pool, options);
  try {
    await service.listen(options.port ?? 0);
  } catch (error) {
    await service.close(0).catch(() => {});
    throw error;
  }
  return service;
}

/** Answers newline-delimited JSON records; see worker.js for how. */
class Service {
  #pool;
  #server;
  #replies;
  #lanes;
  #intake;
  #stallMs;
  /** @type {Map<number, Connection>} by stream */
  #connections = new Map();
  #streams = 0;
  #delivering;
  #closing = false;
  /** @type {Error | undefined} */
  #failure;
  /** @type {() => void} */
  #onQuiet = () => {};
  /** Fulfilled with the reason if the service cannot go on: to be closed then. */
  failed;
  /** @type {(reason: Error) => void} */
  #onFailed = () => {};

  /**
   * @param {BufferPool} pool
   * @param {ServiceOptions} options
   */
  constructor(pool, { workers = 2, maxRecord = 64 * 1024, maxConnections = 1024, stallMs = 30_000 }) {
    const shares = sharesOf(pool.maxBytes, workers);
    this.#pool = pool;
    this.#replies = new Channel(pool);
    this.#lanes = Array.from({ length: workers }, () => new Lane(pool, this.#replies, shares.queue, maxRecord));
    this.#intake = new Intake(pool, shares.filling);
    this.#stallMs = stallMs;
    this.failed = new Promise((/** @type {(reason: Error) => void} */ resolve) => {
      this.#onFailed = resolve;
    });
    for (const { exit } of this.#lanes) exit.then((reason) => reason && this.#fail(reason));
    this.#delivering = this.#deliver();
    // Half-open: a client that has sent everything still gets its replies.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      const stream = ++this.#streams;
      const lane = this.#lanes[stream % this.#lanes.length];
      const connection = new Connection(socket, stream, lane, this.#intake, this.#stallMs, () => this.#done(stream));
      this.#connections.set(stream, connection);
      if (this.#failure) connection.abandon();
    });
    this.#server.maxConnections = maxConnections;
  }

  /** @param {number} port */
  async listen(port) {
    await Promise.all(this.#lanes.map(({ ready, exit }) => Promise.race([ready, exit])));
    if (this.#failure) throw this.#failure;
    this.#server.listen(port, HOST);
    await once(this.#server, 'listening');
  }

  get port() {
    return /** @type {AddressInfo} */ (this.#server.address()).port;
  }

  get connections() {
    return this.#connections.size;
  }

  /**
   * Accepts nobody any more, lets clients finish for a while, and hangs up on the rest; then the workers end.
   *
   * @param {number} graceMs
   * @param {AbortSignal} [hurry] ends the grace
   */
  async close(graceMs, hurry) {
    this.#closing = true;
    this.#server.close();
    const quiet = new Promise((/** @type {(value: void) => void} */ resolve) => {
      this.#onQuiet = resolve;
    });
    const hangUp = () => {
      for (const connection of this.#connections.values()) connection.destroy();
    };
    const timer = setTimeout(hangUp, graceMs);
    hurry?.addEventListener('abort', hangUp);
    if (this.#connections.size > 0) await quiet;
    clearTimeout(timer);
    hurry?.removeEventListener('abort', hangUp);

    // Each stream has been answered to its end, so both directions are empty. Replies are closed first: a thread that waits
    // for them would be told that every other one is gone.
    this.#replies.close();
    for (const lane of this.#lanes) lane.close();
    await Promise.all([this.#delivering, ...this.#lanes.map(({ exit }) => exit)]);
    this.#replies.leave();
    for (const lane of this.#lanes) lane.leave();
    if (this.#failure) throw this.#failure;
    /** @param {'records' | 'refused'} name */
    const sum = (name) => this.#lanes.reduce((total, { tally }) => total + (tally?.[name] ?? 0), 0);
    return {
      connections: this.#streams,
      records: sum('records'),
      refused: sum('refused'),
      pauses: this.#lanes.reduce((total, { pauses }) => total + pauses, 0),
      waits: this.#intake.waits + this.#pool.stats().waits.total - this.#intake.asked,
    };
  }

  async #deliver() {
    try {
      for await (const lease of this.#replies) {
        const connection = this.#connections.get(lease.tag);
        if (connection) connection.deliver(lease);
        else lease.release();
      }
    } catch (error) {
      // Every worker is gone: the first one's reason tells more.
      const reasons = await Promise.all(this.#lanes.map(({ exit }) => exit));
      this.#fail(reasons.find((reason) => reason !== undefined) ?? /** @type {Error} */ (error));
    }
  }

  /** @param {number} stream */
  #done(stream) {
    this.#connections.delete(stream);
    if (this.#closing && this.#connections.size === 0) this.#onQuiet();
  }

  /** @param {Error} reason */
  #fail(reason) {
    if (this.#failure) return;
    this.#failure = reason;
    for (const connection of this.#connections.values()) connection.abandon();
    this.#onFailed(reason);
  }
}
