// What connections hold that have sent something, and are silent now.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { BufferPool } from 'slabpool';
import { serve } from 'slabpool/io';

const CONNECTIONS = 100;

const pool = new BufferPool();
const server = createServer();
let received = 0;
serve(pool, server, () => ({
  data(reader) {
    received += reader.length;
    reader.consume(reader.length);
  },
}));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
const sockets = Array.from({ length: CONNECTIONS }, () => connect(port, '127.0.0.1'));
for (const socket of sockets) socket.write('some bytes');
while (received < CONNECTIONS * 10) await new Promise(setImmediate);
process.stdout.write(JSON.stringify({ 'leases of 100 idle connections': pool.outstanding() }));
for (const socket of sockets) socket.destroy();
server.close();
