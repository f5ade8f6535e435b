import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, request } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { BufferPool } from 'slabpool';
import { connect, type ReceivedBytes, receive, serve } from 'slabpool/io';
import { describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded } from './backends.js';

const read = (name: string) => readFileSync(new URL(`fixtures/tls/localhost.${name}`, import.meta.url));
/** Of a certificate that was made for this test, and is trusted nowhere. */
const PAIR = { key: read('key'), cert: read('crt') };

/** Numbers of 4 bytes, and how many bytes of zeros each announces. */
function sum(add: (length: number) => void): (reader: ReceivedBytes) => void {
  return (reader) => {
    while (reader.read(4)) {
      const length = reader.bytes.readUInt32LE(reader.start);
      if (!reader.read(4 + length)) return;
      add(length);
      reader.consume(4 + length);
    }
  };
}

function message(length: number): Buffer {
  const bytes = Buffer.alloc(4 + length);
  bytes.writeUInt32LE(length);
  return bytes;
}

const LENGTHS = [5, 100_000, 0, 16_384, 1];

describe.each(BACKENDS)('%s core', (backend) => {
  test('TLS is copied, on both sides', async () => {
    const pool = new BufferPool({ backend });
    const [here, there]: [number[], number[]] = [[], []];
    const server = createTlsServer(PAIR);
    const serving = serve(pool, server, (socket) => ({
      data: sum((length) => there.push(length)),
      end: () => socket.end(Buffer.concat(LENGTHS.map(message))),
    }));
    expect(serving.mode).toBe('copy');
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, allowHalfOpen: true } as never);
    receive(pool, socket, { data: sum((length) => here.push(length)) });
    socket.end(Buffer.concat(LENGTHS.map(message)));
    await once(socket, 'close');
    expect([here, there]).toEqual([LENGTHS, LENGTHS]);
    await new Promise((closed) => server.close(closed));
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('an HTTP upgrade, with what came right behind it; other requests are untouched', async () => {
    const pool = new BufferPool({ backend });
    const got: number[] = [];
    const server = createHttpServer((_, response) => response.end('plain'));
    server.on('upgrade', (_, socket: Socket, head: Buffer) => {
      socket.unshift(head);
      receive(pool, socket, { data: sum((length) => got.push(length)), end: () => socket.end() });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const plain = request({ port, host: '127.0.0.1', agent: false }).end();
    const [response] = await once(plain, 'response');
    let body = '';
    for await (const chunk of response) body += chunk;
    expect(body).toBe('plain');
    const socket = connect(pool, { port, host: '127.0.0.1' }, { data: (reader) => reader.consume(reader.length) });
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: sum\r\n\r\n');
    socket.end(Buffer.concat(LENGTHS.map(message)));
    await once(socket, 'close');
    expect(got).toEqual(LENGTHS);
    await new Promise((closed) => server.close(closed));
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });
});

test('arguments are checked', () => {
  const pool = new BufferPool({ backend: 'js' });
  const server = createServer();
  const wrong = (call: () => unknown, message: RegExp) =>
    expect(call).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', message));
  const receiver = { data() {} };
  wrong(() => serve({} as never, server, () => receiver), /pool: expected a BufferPool/);
  wrong(() => serve(pool, {} as never, () => receiver), /expected a server/);
  wrong(() => serve(pool, server, receiver as never), /make: expected a function/);
  wrong(() => serve(pool, server, () => receiver, { maxLength: 0 }), /'maxLength': expected an integer from 1/);
  wrong(() => serve(pool, server, () => receiver, { max: 1 } as never), /there is no option 'max'/);
  wrong(() => connect(pool, { port: 1, onread: {} } as never, receiver), /without onread/);
  wrong(() => connect(pool, { port: 1 }, {} as never), /with a method data, got an object of class Object$/);
  wrong(() => receive(pool, {} as never, receiver), /expected a socket/);
  expect(server.listenerCount('connection')).toBe(0);
  pool.close();
});
