/** @import { BufferPool } from 'slabpool' */
import { connect } from 'node:net';
import { Failure } from './errors.js';
import { Pieces } from './pieces.js';
import { Replies } from './replies.js';
import { random, recordsOf } from './workload.js';

const READ = 64 * 1024;
const LARGEST_PIECE = 32 * 1024;

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
        if (difference) socket.destroy(new Error(difference));
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
  const pieces = new Pieces(pool, socket);
  const sent = await sendAll(pieces, replies, seed, records);
  socket.end();
  await Promise.all([closed, pieces.written()]);
  // Not before: an open socket may read into the block at any time.
  block.release();
  if (!failure && replies.missing > 0) failure = new Error(`the connection ended ${replies.missing} replies early`);
  if (failure) throw new Failure(`client ${seed}: ${failure.message}`, { cause: failure });
  return { sent, received: replies.received };
}

/**
 * @param {Pieces} pieces
 * @param {Replies} replies
 * @param {number} seed
 * @param {number} records
 * @returns {Promise<number>} bytes
 */
async function sendAll(pieces, replies, seed, records) {
  const sizes = random(-seed);
  let sent = 0;
  for (const { record, reply } of recordsOf(seed, records)) {
    replies.expect(reply);
    for (let at = 0; at < record.length; ) {
      // From one byte up, small pieces being as likely as large ones.
      if (pieces.full) await pieces.next(Math.ceil(LARGEST_PIECE ** sizes()));
      at += pieces.add(record, at);
    }
    sent += record.length;
    if (pieces.lost) break;
  }
  pieces.flush();
  return sent;
}
