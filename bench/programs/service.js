// A server of frames, each of which it answers by one: how long the rest is (u32 be), the rest.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { serve } from 'slabpool/io';

export const LENGTH = 4;

/**
 * What answers the frames of a connection: one lies in `bytes` from `from` to `to`, its length included, until it returns.
 * @typedef {(socket: import('node:net').Socket) => (bytes: Buffer, from: number, to: number) => void} Answering
 */

/** @param {import('slabpool').BufferPool} pool @param {Answering} answering */
export function served(pool, answering) {
  return listening(answering, (server, counted) =>
    serve(pool, server, (socket) => {
      const answer = counted(socket);
      return {
        data(reader) {
          while (reader.read(LENGTH)) {
            const whole = LENGTH + reader.bytes.readUInt32BE(reader.start);
            if (!reader.read(whole)) return;
            answer(reader.bytes, reader.start, reader.start + whole);
            reader.consume(whole);
          }
        },
      };
    }),
  );
}

/** By chunks that are joined when a frame is there. @param {Answering} answering */
export function joined(answering) {
  return listening(answering, (server, counted) =>
    server.on('connection', (socket) => {
      const answer = counted(socket);
      /** @type {Buffer[]} */
      let chunks = [];
      let have = 0;
      let need = LENGTH;
      socket.on('data', (/** @type {Buffer} */ chunk) => {
        chunks.push(chunk);
        have += chunk.length;
        if (have < need) return;
        const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks, have);
        let at = 0;
        need = LENGTH;
        while (have - at >= LENGTH) {
          need = LENGTH + bytes.readUInt32BE(at);
          if (have - at < need) break;
          answer(bytes, at, at + need);
          at += need;
          need = LENGTH;
        }
        have -= at;
        chunks = have === 0 ? [] : [bytes.subarray(at)];
      });
    }),
  );
}

/**
 * @param {Answering} answering @param {(server: import('node:net').Server, counted: Answering) => unknown} begin
 * @returns {Promise<import('./child.js').Program>}
 */
async function listening(answering, begin) {
  let units = 0;
  let bytes = 0;
  const server = createServer({ noDelay: true });
  begin(server, (socket) => {
    const answer = answering(socket);
    return (frame, from, to) => {
      answer(frame, from, to);
      units++;
      bytes += to - from;
    };
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  // What was found is checked by who asks.
  return { counts: () => ({ units, bytes }), end: async () => undefined, port };
}
