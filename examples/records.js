// node examples/records.js [PORT]: an HTTP server of binary records. GET /N answers with N of them, as frames: length (u32 be), id (u32 le),
// value (f64 le), name (utf8). An encoder with the writer inside of it is pooled: its segment of 16 KiB stays with it.
import { createServer } from 'node:http';
import { BufferPool } from 'slabpool';
import { ByteWriter } from 'slabpool/io';
import { ObjectPool } from 'slabpool/object';

const SEGMENT = 16 * 1024;
const MOST = 100_000;

const buffers = new BufferPool({ name: 'segments', maxBytes: 64 * 2 ** 20 });

/** An encoder and what it writes into: neither is of use without the other, so they are pooled as one. */
class RecordEncoder {
  writer = new ByteWriter(buffers, { segment: SEGMENT });

  /** @param {number} id */
  encode(id) {
    const { writer } = this;
    const length = writer.hole(4);
    const before = writer.length;
    writer.u32le(id);
    writer.f64le(id * 1.25);
    writer.utf8(`sensor-${(id * 7919) % 1000}`);
    writer.fill(length, writer.length - before);
  }
}

const encoders = new ObjectPool({
  name: 'encoders',
  create: () => new RecordEncoder(),
  // Before the next use: whatever way a request ended, nothing of it is left.
  reset: ({ writer }) => writer.reset(),
  destroy: ({ writer }) => writer.release(),
  maxIdle: 64,
});

const server = createServer(async (request, response) => {
  const count = Number(request.url?.slice(1));
  if (!Number.isInteger(count) || count < 0 || count > MOST) {
    response.writeHead(404).end();
    return;
  }
  const lease = encoders.acquire();
  try {
    const encoder = lease.value;
    for (let id = 1; id <= count; id++) {
      encoder.encode(id);
      // A client that is slow is waited for.
      if (encoder.writer.length >= SEGMENT) await encoder.writer.flush(response);
    }
    await encoder.writer.flush(response);
    response.end();
  } catch (error) {
    // It has hung up.
    response.destroy(error instanceof Error ? error : undefined);
  } finally {
    lease.release();
  }
});

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  console.log(`listening on ${JSON.stringify(server.address())}`);
});

process.once('SIGTERM', () => {
  server.close(() => {
    const { created, acquires } = encoders.stats();
    console.log(`${acquires} requests, ${created} encoders`);
    encoders.assertNoLeaks();
    encoders.close();
    buffers.assertNoLeaks();
    buffers.close();
  });
  server.closeIdleConnections();
});
