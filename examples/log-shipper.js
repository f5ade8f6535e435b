// node examples/log-shipper.js HOST PORT < LOG: sends each line as a frame to a server: its length (u32 be), its number (varint), its text.
// Lines are collected until there is a segment of them, or no more at hand; a server that is slow is waited for.
import { once } from 'node:events';
import { connect } from 'node:net';
import { BufferPool } from 'slabpool';
import { ByteWriter, fromReadable, lines } from 'slabpool/io';

const SEGMENT = 64 * 1024;

const [host, port] = process.argv.slice(2);
if (port === undefined) {
  console.error('usage: node examples/log-shipper.js HOST PORT < LOG');
  process.exit(2);
}

const pool = new BufferPool({ name: 'log shipper', maxBytes: 4 * 2 ** 20 });
const writer = new ByteWriter(pool, { segment: SEGMENT });
const gone = new AbortController();
const socket = connect(Number(port), host);
socket.on('error', (error) => gone.abort(error)).on('close', () => gone.abort(new Error('the server has hung up')));

let number = 0;
let sent = 0;

/** @param {import('slabpool/io').RecordBatch} line */
function frame(line) {
  const length = writer.hole(4);
  const before = writer.length;
  writer.varint(++number);
  writer.write(line.subarray());
  writer.fill(length, writer.length - before, 'be');
}

async function flush() {
  sent += writer.length;
  await writer.flush(socket, { signal: gone.signal });
}

try {
  for await (const batch of lines(fromReadable(pool, process.stdin, { signal: gone.signal }), { onTooLong: 'skip' })) {
    while (batch.next()) {
      frame(batch);
      if (writer.length >= SEGMENT) await flush();
    }
    await flush();
  }
  socket.end();
  await once(socket.resume(), 'close');
  console.log(`${number} lines, ${sent} bytes`);
} catch (error) {
  console.error(`log-shipper: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
  socket.destroy();
}
writer.release();
pool.assertNoLeaks();
pool.close();
