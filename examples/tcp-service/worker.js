/** @import { MessagePort } from 'node:worker_threads' */
/** @import { Joining, Tally } from './protocol.js' */
import { parentPort, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { answerTo } from './answer.js';
import { Outbox } from './outbox.js';
import { END, FAILED, noticeIn, seal } from './protocol.js';
import { RecordError, Splitter } from './splitter.js';

const joining = /** @type {Joining} */ (workerData);
const server = /** @type {MessagePort} */ (parentPort);
const pool = BufferPool.attach(joining.pool);
const requests = Channel.attach(pool, joining.requests);
const replies = Channel.attach(pool, joining.replies);
const outbox = new Outbox(pool, replies);

/** @type {Map<number, Splitter | 'failed'>} of the streams that have not ended */
const streams = new Map();
let records = 0;
let refused = 0;

/**
 * @param {Iterable<Buffer>} lines
 * @param {number} stream
 */
async function answerAll(lines, stream) {
  for (const line of lines) {
    if (line.length === 0) continue;
    const answer = answerTo(line);
    if (!outbox.fits(answer)) await outbox.makeRoom(answer, stream);
    outbox.add(answer);
    records++;
  }
}

/**
 * @param {Iterable<Buffer>} lines
 * @param {number} stream
 * @returns {Promise<boolean>} false when one of them was wrong
 */
async function answered(lines, stream) {
  try {
    await answerAll(lines, stream);
    return true;
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    const line = `${JSON.stringify({ error: error.message })}\n`;
    await outbox.makeRoom(line, stream);
    outbox.add(line);
    refused++;
    return false;
  } finally {
    await outbox.flush(stream);
  }
}

server.postMessage('ready');

for await (const lease of requests) {
  const { length, tag: stream } = lease;
  const notice = noticeIn(lease);
  const splitter = streams.get(stream) ?? new Splitter(joining.maxRecord);
  if (notice !== 0) {
    if (notice === END && splitter !== 'failed') await answered(splitter.end(), stream);
    streams.delete(stream);
    // The envelope of the notice goes back as that of the answer, so that a stream can end when the budget is used up.
    await replies.send(seal(lease, END), 0, stream);
  } else if (splitter === 'failed') {
    lease.release();
  } else if (await answered(splitter.push(lease.bytes.subarray(0, length)), stream)) {
    streams.set(stream, splitter);
    lease.release();
  } else {
    streams.set(stream, 'failed');
    await replies.send(seal(lease, FAILED), 0, stream);
  }
}

pool.close();
server.postMessage(/** @type {Tally} */ ({ records, refused }));
