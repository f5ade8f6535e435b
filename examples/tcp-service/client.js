/** @import { Socket } from 'node:net' */
/** @import { BufferPool, Lease } from 'slabpool' */
import { connect } from 'node:net';
import { random, recordsOf } from './workload.js';

const READ = 64 * 1024;
const LARGEST_WRITE = 32 * 1024;

/**
 * Sends seeded records in pieces of random size and compares each reply, to the byte, with what it has to be.
 *
 * @param {BufferPool} pool the clients' own
 * @param {{ port: number, seed: number, records: number }} options
 * @returns {Promise<{ sent: number, received: number }>} bytes
 */
export async function runClient(pool, { port, seed, records }) {
  const replies = new Replies();
  const block = pool.acquire(READ);
  // Each read goes to the same pooled block: no buffer is made per read, and what is compared in the callback is not copied.
  const socket = connect({
    port,
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: block.bytes,
      callback: (length) => {
        const difference = replies.compare(block.bytes, length);
        if (difference) socket.destroy(new Error(`client ${seed}: ${difference}`));
        return true;
      },
    },
  });
  /** @type {Error | undefined} */
  let failure;
  socket.on('error', (error) => {
    failure = error;
  });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  const sent = await sendAll(pool, socket, replies, seed, records);
  socket.end();
  await closed;
  // Not before: an open socket may read into the block at any time.
  block.release();
  if (failure) throw failure;
  if (replies.missing > 0) throw new Error(`client ${seed}: the connection ended ${replies.missing} replies early`);
  return { sent, received: replies.received };
}

/** Replies that are to come, in their order. */
class Replies {
  /** @type {Buffer[]} */
  #expected = [];
  #first = 0;
  /** Bytes of the first one that have come. */
  #compared = 0;
  received = 0;

  /** @param {Buffer} reply */
  expect(reply) {
    this.#expected.push(reply);
  }

  get missing() {
    return this.#expected.length - this.#first;
  }

  /**
   * @param {Buffer} bytes
   * @param {number} length
   * @returns {string | undefined} the first difference
   */
  compare(bytes, length) {
    this.received += length;
    for (let at = 0; at < length; ) {
      const reply = this.#expected[this.#first];
      if (!reply) return `got bytes that nothing was asked for: ${bytes.toString('utf8', at, length)}`;
      const count = Math.min(length - at, reply.length - this.#compared);
      if (bytes.compare(reply, this.#compared, this.#compared + count, at, at + count) !== 0) {
        return `expected ${reply.toString().trim()}, got ${bytes.toString('utf8', at - Math.min(at, this.#compared), length).split('\n')[0]}`;
      }
      at += count;
      this.#compared += count;
      if (this.#compared === reply.length) this.#next();
    }
    return undefined;
  }

  #next() {
    this.#compared = 0;
    this.#first++;
    if (this.#first < 1024) return;
    this.#expected.splice(0, this.#first);
    this.#first = 0;
  }
}

/**
 * @param {BufferPool} pool
 * @param {Socket} socket
 * @param {Replies} replies
 * @param {number} seed
 * @param {number} records
 * @returns {Promise<number>} bytes
 */
async function sendAll(pool, socket, replies, seed, records) {
  const next = random(-seed);
  // From one byte up, small pieces being as likely as large ones.
  const pieceSize = () => Math.ceil(LARGEST_WRITE ** next());
  let sent = 0;
  let size = pieceSize();
  let lease = pool.acquire(size);
  let used = 0;
  for (const { record, reply } of recordsOf(seed, records)) {
    replies.expect(reply);
    for (let at = 0; at < record.length; ) {
      const copied = record.copy(lease.bytes, used, at, at + size - used);
      at += copied;
      used += copied;
      if (used < size) continue;
      if (!write(socket, lease, used)) await writable(socket);
      sent += used;
      size = pieceSize();
      lease = pool.acquire(size);
      used = 0;
    }
    if (socket.destroyed) break;
  }
  write(socket, lease, used);
  return sent + used;
}

/**
 * @param {Socket} socket
 * @param {Lease} lease the socket's until its callback
 * @param {number} used
 */
function write(socket, lease, used) {
  return socket.write(lease.bytes.subarray(0, used), () => lease.release());
}

/** @param {Socket} socket */
function writable(socket) {
  return new Promise((/** @type {(value: void) => void} */ resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    if (socket.closed) resolve();
    else socket.on('drain', done).on('close', done);
  });
}
