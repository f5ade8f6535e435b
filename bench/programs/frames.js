// A server as in examples/server.js, in one thread: a frame is its length, a number of the client's (4 bytes), the body; the answer has this
// number and the SHA-256 of the body.
import { hash } from 'node:crypto';
import { BufferPool } from 'slabpool';
import { requestsOf } from './requests.js';
import { joined, LENGTH, served } from './service.js';

const HEADER = LENGTH + 4;
const ANSWER = HEADER + 32;

export const what = 'a server that answers frames with the SHA-256 of their bodies';
export const unit = 'request';

/** @param {Buffer} bytes @param {number} from @param {number} to */
function answerTo(bytes, from, to) {
  const answer = Buffer.allocUnsafe(ANSWER);
  answer.writeUInt32BE(ANSWER - LENGTH);
  bytes.copy(answer, LENGTH, from + LENGTH, from + HEADER);
  hash('sha256', bytes.subarray(from + HEADER, to), 'buffer').copy(answer, HEADER);
  return answer;
}

/** @type {import('./service.js').Answering} */
const answering = (socket) => (bytes, from, to) => {
  socket.write(answerTo(bytes, from, to));
};

export const ways = {
  slabpool: () => served(new BufferPool(), answering),
  "'data' and Buffer.concat": () => joined(answering),
};

export const requests = () =>
  requestsOf((number, size) => {
    const bytes = Buffer.alloc(HEADER + size, `frame ${number} `);
    bytes.writeUInt32BE(bytes.length - LENGTH);
    bytes.writeUInt32BE(number, LENGTH);
    return { bytes, answer: answerTo(bytes, 0, bytes.length) };
  });
