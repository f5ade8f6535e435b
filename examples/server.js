// node examples/server.js [PORT [WORKERS [BUDGET [STALL_MS]]]]: answers frames with the SHA-256 of their bodies, which workers compute.
// A frame: how long the rest is (u32 be), a number of the client's (4 bytes), the body. An answer is a frame with this number; answers come
// in any order. While BUDGET is exhausted, sockets are not read. Who leaves answers unread, or misses one, is hung up on.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { BufferPool, Channel } from 'slabpool';
import { serve } from 'slabpool/io';

const [HEADER, ANSWER] = [8, 40];

async function work({ pool: handle, requests, answers } = workerData) {
  const pool = BufferPool.attach(handle);
  const out = Channel.attach(pool, answers);
  for await (const lease of Channel.attach(pool, requests)) {
    // In place, so that no answer waits for memory: the smallest lease has room for it.
    createHash('sha256').update(lease.bytes.subarray(HEADER, lease.length)).digest().copy(lease.bytes, HEADER);
    lease.bytes.writeUInt32BE(ANSWER - 4);
    await out.send(lease, ANSWER, lease.tag);
  }
  pool.close();
}

async function main([port = 0, workers = 2, budget = 2 ** 24, stallMs = 30_000] = process.argv.slice(2).map(Number)) {
  const pool = new BufferPool({ name: 'server', maxBytes: budget });
  // Open also while a worker that died is replaced.
  const [requests, answers] = [new Channel(pool, { holdOpen: true }), new Channel(pool, { holdOpen: true })];
  /** @type {Map<number, { socket: import('node:net').Socket, pending: number }>} pending: answers, and the input's end */
  const connections = new Map();
  let [count, served, alive] = [0, 0, workers];
  const server = createServer({ allowHalfOpen: true });
  serve(pool, server, (socket) => {
    const id = ++count;
    const connection = { socket, pending: 1 };
    connections.set(id, connection);
    const isIdle = () => connection.pending === 1 && !socket.readableEnded && socket.writableLength === 0;
    socket.setTimeout(stallMs).on('timeout', () => isIdle() || socket.destroy());
    socket.on('drain', () => socket.resume());
    return {
      data(reader) {
        while (reader.read(4)) {
          const whole = 4 + reader.bytes.readUInt32BE(reader.start);
          if (whole < HEADER) throw new Error('a frame without a number');
          if (!reader.read(whole)) return;
          const { lease, bytes, start, end } = reader.take(whole);
          if (start > 0) bytes.copyWithin(0, start, end);
          connection.pending++;
          if (!requests.trySend(lease, whole, id)) requests.send(lease, whole, id).catch(() => lease.release());
        }
      },
      end: () => void (--connection.pending === 0 && socket.end()),
      error: ({ message }) => console.log(`connection ${id}: ${message}`),
      close: () => void connections.delete(id),
    };
  });
  server.listen(port, '127.0.0.1', () => console.log(`listening on ${JSON.stringify(server.address())}`));
  const handles = { pool: pool.handle, requests: requests.handle, answers: answers.handle };
  const start = () => new Worker(new URL(import.meta.url), { workerData: handles }).on('exit', exited);
  const exited = () => void (requests.closed ? --alive === 0 && answers.close() : start());
  for (let i = 0; i < workers; i++) start();
  process.once('SIGTERM', () => {
    console.log('clients may finish; a second SIGTERM hangs up on them');
    process.once('SIGTERM', () => connections.forEach(({ socket }) => void socket.destroy()));
    server.close(() => requests.close());
  });
  for await (const lease of answers) {
    served++;
    const answer = Buffer.from(lease.bytes.subarray(0, lease.length));
    lease.release();
    const connection = connections.get(lease.tag);
    if (connection?.socket.write(answer) === false) connection.socket.pause();
    if (connection !== undefined && --connection.pending === 0) connection.socket.end();
  }
  pool.assertNoLeaks();
  pool.close();
  console.log(`served ${count} connections, ${served} frames; nothing out`);
}

await (isMainThread ? main() : work());
