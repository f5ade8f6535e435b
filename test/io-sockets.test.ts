import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain, createServer, type Server, type Socket } from 'node:net';
import fc from 'fast-check';
import { BufferPool, type BufferPoolOptions } from 'slabpool';
import {
  type Chunk,
  connect,
  type ReceivedBytes,
  type ReceiveOptions,
  type Receiver,
  type Serving,
  serve,
} from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { allowUserBuffers } from '../dist/io/sockets/user-buffer.js';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';

const WAYS = BACKENDS.flatMap((backend) => [
  { backend, mode: 'onread' as const },
  { backend, mode: 'copy' as const },
]);
const MAX = 2 * MiB;

/** A header of 4 bytes, then a body that says who sent it. */
function frame(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(4 + length);
  bytes.writeUInt32LE(length);
  for (let i = 0; i < length; i++) bytes[4 + i] = (seed + i * 7) & 0xff;
  return bytes;
}

/** Calls `each` with every frame that is there. */
function frames(each: (body: Buffer, reader: ReceivedBytes) => void): (reader: ReceivedBytes) => void {
  return (reader) => {
    while (reader.read(4)) {
      const length = reader.bytes.readUInt32LE(reader.start);
      if (!reader.read(4 + length)) return;
      each(reader.bytes.subarray(reader.start + 4, reader.start + 4 + length), reader);
      reader.consume(4 + length);
    }
  };
}

describe.each(WAYS)('$backend core, $mode', ({ backend, mode }) => {
  const pools: BufferPool[] = [];
  beforeEach(() => allowUserBuffers(mode === 'onread'));
  afterEach(() => {
    allowUserBuffers(true);
    for (const pool of pools.splice(0)) {
      pool.assertNoLeaks();
      checkBooks(pool);
      pool.close();
    }
  });

  function newPool(options: BufferPoolOptions = {}): BufferPool {
    const pool = new BufferPool({ backend, ...options });
    pools.push(pool);
    return pool;
  }

  interface Service {
    readonly server: Server;
    readonly port: number;
    readonly serving: Serving;
    /** The server's side of connections, in their order. */
    readonly sockets: Socket[];
    /** All connections are closed, and the server. */
    close(): Promise<void>;
  }

  async function service(
    pool: BufferPool,
    make: (connection: Socket) => Receiver,
    options: ReceiveOptions = { maxLength: MAX },
    server: Server = createServer(),
  ): Promise<Service> {
    const sockets: Socket[] = [];
    const serving = serve(
      pool,
      server,
      (socket) => {
        sockets.push(socket);
        return make(socket);
      },
      options,
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const close = async () => {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((closed) => server.close(closed));
    };
    onTestFinished(close);
    return { server, port: (server.address() as AddressInfo).port, serving, sockets, close };
  }

  async function client(port: number): Promise<Socket> {
    const socket = connectPlain({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  }

  test('says how it receives', async () => {
    const { serving, close } = await service(newPool(), () => ({ data() {} }));
    // Bun keeps its sockets' handles to itself.
    expect(serving.mode).toBe(process.versions['bun'] === undefined ? mode : 'copy');
    expect(serving).toMatchObject({ waiting: 0, waitingBytes: 0 });
    await close();
  });

  test('frames come whole, however they were cut, on several connections at once', async () => {
    const pool = newPool();
    const received = new Map<Socket, Buffer[]>();
    const ended = new Map<Socket, () => void>();
    const { port, close } = await service(pool, (socket) => {
      const bodies: Buffer[] = [];
      received.set(socket, bodies);
      return {
        data: frames((body) => bodies.push(Buffer.from(body))),
        end: () => socket.end(String(bodies.length)),
      };
    });
    const lengths = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 0, max: 3000 }),
      fc.integer({ min: 60_000, max: 200_000 }),
    );
    const stream = fc.record({
      lengths: fc.array(lengths, { minLength: 1, maxLength: 12 }),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(stream, { minLength: 1, maxLength: 3 }), async (streams) => {
        received.clear();
        ended.clear();
        const sent = await Promise.all(
          streams.map(async ({ lengths, cuts }, which) => {
            const all = lengths.map((length, i) => frame(length, which * 31 + i));
            const bytes = Buffer.concat(all);
            const socket = await client(port);
            const at = [0, ...cuts.map((cut) => Math.floor(cut * bytes.length)).sort((a, b) => a - b), bytes.length];
            for (let i = 1; i < at.length; i++) {
              await new Promise((written) => socket.write(bytes.subarray(at[i - 1], at[i]), written));
              await new Promise(setImmediate);
            }
            socket.end();
            const reply: Buffer[] = [];
            for await (const chunk of socket) reply.push(chunk);
            expect(Buffer.concat(reply).toString()).toBe(String(all.length));
            return bytes.toString('base64');
          }),
        );
        const got = [...received.values()].map((bodies) =>
          Buffer.concat(
            bodies.map((body) => {
              const header = Buffer.alloc(4);
              header.writeUInt32LE(body.length);
              return Buffer.concat([header, body]);
            }),
          ).toString('base64'),
        );
        expect(got.sort()).toEqual(sent.sort());
        expect(pool.outstanding()).toBe(0);
      }),
      { numRuns: 25 },
    );
    await close();
  });

  test('a frame that is cut at any of its bytes', async () => {
    const pool = newPool();
    let count = 0;
    const bodies: string[] = [];
    const whole: (() => void)[] = [];
    const { port, close } = await service(pool, () => ({
      data: frames((body) => {
        bodies.push(body.toString('latin1'));
        count++;
        whole.shift()?.();
      }),
    }));
    const socket = await client(port);
    const bytes = frame(30, 5);
    for (let cut = 1; cut < bytes.length; cut++) {
      const came = new Promise<void>((resolve) => whole.push(resolve));
      await new Promise((written) => socket.write(bytes.subarray(0, cut), written));
      await new Promise(setImmediate);
      socket.write(bytes.subarray(cut));
      await came;
    }
    expect(new Set(bodies)).toEqual(new Set([bytes.toString('latin1', 4)]));
    expect(count).toBe(bytes.length - 1);
    expect(pool.outstanding()).toBe(0);
    socket.destroy();
    await close();
  });

  test('an idle connection holds no lease, one with part of a frame holds one, that of a large frame is given up', async () => {
    const pool = newPool();
    let calls = 0;
    let turn: () => void = () => {};
    const { port, close } = await service(pool, () => ({
      data(reader) {
        calls++;
        frames(() => {})(reader);
        setImmediate(() => turn());
      },
    }));
    const socket = await client(port);
    const wrote = async (bytes: Buffer, until: () => boolean) => {
      socket.write(bytes);
      while (!until()) {
        await new Promise<void>((resolve) => {
          turn = resolve;
          setImmediate(resolve);
        });
      }
    };
    expect(pool.outstanding()).toBe(0);
    const large = frame(900_000, 1);
    await wrote(large.subarray(0, 300_000), () => calls === 1 && pool.outstanding() === 1);
    expect(pool.stats().leasedBytes).toBeGreaterThanOrEqual(900_004);
    await wrote(large.subarray(300_000), () => calls === 2);
    expect(pool.outstanding()).toBe(0);
    await wrote(Buffer.concat([frame(1000, 2), frame(1000, 3).subarray(0, 500)]), () => calls === 3);
    expect(pool.outstanding()).toBe(1);
    expect(pool.stats().leasedBytes).toBeLessThanOrEqual(4 * KiB);
    await wrote(frame(1000, 3).subarray(500), () => calls === 4);
    expect(pool.outstanding()).toBe(0);
    socket.destroy();
    await close();
  });

  test('a budget of few blocks serves many connections', async () => {
    const pool = newPool({ maxBytes: 512 * KiB, maxPooledSize: 128 * KiB });
    const connections = 24;
    const each = 6;
    const waitedFor = { most: 0 };
    let served = 0;
    const held: Chunk[] = [];
    const good: boolean[] = [];
    const { port, serving, close } = await service(pool, (socket) => ({
      data(reader) {
        waitedFor.most = Math.max(waitedFor.most, serving.waiting);
        while (reader.read(4)) {
          const length = reader.bytes.readUInt32LE(reader.start);
          if (!reader.read(4 + length)) return;
          const chunk = reader.take(4 + length);
          held.push(chunk);
          served++;
          setImmediate(() => {
            const seed = chunk.bytes[chunk.start + 4];
            good.push(frame(length, seed).equals(chunk.bytes.subarray(chunk.start, chunk.end)));
            chunk.release();
          });
        }
      },
      end: () => socket.end('done'),
    }));
    const replies = await Promise.all(
      Array.from({ length: connections }, async (_, which) => {
        const socket = await client(port);
        for (let i = 0; i < each; i++) socket.write(frame(100_000 - which * 500, which * 10 + i));
        socket.end();
        let reply = '';
        for await (const chunk of socket) reply += chunk;
        return reply;
      }),
    );
    expect(replies).toEqual(Array(connections).fill('done'));
    expect(served).toBe(connections * each);
    await new Promise(setImmediate);
    expect(good).toEqual(Array(served).fill(true));
    expect(waitedFor.most).toBeGreaterThan(0);
    expect(serving).toMatchObject({ waiting: 0, waitingBytes: 0 });
    await close();
  });

  test('a connection that waits for a lease is dropped', async () => {
    const pool = newPool({ maxBytes: 256 * KiB, maxPooledSize: 64 * KiB });
    const mine = pool.acquireMany(64 * KiB, 4);
    const { port, serving, sockets, close } = await service(pool, () => ({ data: frames(() => {}) }));
    const socket = await client(port);
    socket.write(frame(50_000, 1).subarray(0, 40_000));
    while (serving.waiting === 0) await new Promise(setImmediate);
    expect(serving.waitingBytes).toBeGreaterThan(0);
    const closed = once(sockets[0], 'close');
    sockets[0].destroy();
    await closed;
    expect(serving).toMatchObject({ waiting: 0, waitingBytes: 0 });
    pool.releaseMany(mine);
    await new Promise(setImmediate);
    expect(pool.outstanding()).toBe(0);
    await close();
  });

  test('an end within a frame, a length above the cap, what data() throws: an error, and nothing is held', async () => {
    const pool = newPool();
    const errors: Error[] = [];
    const lives: string[] = [];
    const { port, close } = await service(
      pool,
      () => ({
        data: frames((body) => {
          if (body.toString() === 'throw') throw new RangeError('mine');
        }),
        end: () => lives.push('end'),
        error: (error) => errors.push(error),
        close: () => lives.push('close'),
      }),
      { maxLength: 10_000 },
    );
    const gone = async (bytes: Buffer) => {
      const socket = await client(port);
      socket.resume();
      socket.end(bytes);
      await once(socket, 'close');
    };
    await gone(Buffer.concat([frame(10, 1), frame(100, 1).subarray(0, 50)]));
    await gone(Buffer.concat([frame(10, 1), frame(9997, 1)]));
    const thrower = Buffer.from('\x05\0\0\0throw', 'latin1');
    await gone(Buffer.concat([thrower, frame(100, 1)]));
    expect(errors).toEqual([
      coded('ERR_SLABPOOL_TRUNCATED', /50 bytes/, { details: { offset: 14, lengthBytes: 50 } }),
      coded('ERR_SLABPOOL_TOO_LONG', /maxLength/, {
        details: { offset: 14, lengthBytes: 10_001, maxLengthBytes: 10_000 },
      }),
      new RangeError('mine'),
    ]);
    while (lives.length < 3) await new Promise(setImmediate);
    expect(lives).toEqual(['close', 'close', 'close']);
    expect(pool.outstanding()).toBe(0);
    await close();
  });

  test('what end() throws ends the connection, as what data() throws', async () => {
    const pool = newPool();
    const seen: unknown[] = [];
    const { port, sockets, close } = await service(pool, () => ({
      data: frames(() => {}),
      end() {
        throw new RangeError('mine');
      },
      error: (error) => seen.push(error, sockets[0]?.destroyed),
      close: () => seen.push('close'),
    }));
    const socket = await client(port);
    socket.resume();
    socket.end(frame(10, 1));
    await once(socket, 'close');
    while (seen.length < 3) await new Promise(setImmediate);
    expect(seen).toEqual([new RangeError('mine'), true, 'close']);
    await close();
  });

  test('a reset within a frame', async () => {
    const pool = newPool();
    const errors: Error[] = [];
    let calls = 0;
    const { port, sockets, close } = await service(pool, () => ({
      data(reader) {
        calls++;
        frames(() => {})(reader);
      },
      error: (error) => errors.push(error),
    }));
    const socket = await client(port);
    socket.write(frame(200_000, 1).subarray(0, 100_000));
    while (calls === 0 || pool.outstanding() === 0) await new Promise(setImmediate);
    const closed = new Promise((resolve) => sockets[0].once('close', resolve));
    socket.resetAndDestroy();
    await closed;
    expect(errors).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
    expect(pool.outstanding()).toBe(0);
    await close();
  });

  test('getConnections() and close() of the server know its connections; half-open ones can still answer', async () => {
    const pool = newPool();
    const { server, port, close } = await service(
      pool,
      (socket) => ({
        data: frames((body) => socket.write(body)),
        end: () => setImmediate(() => socket.end('!')),
      }),
      {},
      createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }),
    );
    const socket = await client(port);
    const count = () => new Promise((resolve) => server.getConnections((_, n) => resolve(n)));
    socket.write(Buffer.from('\x02\0\0\0hi', 'latin1'));
    const [hi] = await once(socket, 'data');
    expect(String(hi)).toBe('hi');
    expect(await count()).toBe(1);
    let closed = false;
    const done = new Promise<void>((resolve) =>
      server.close(() => {
        closed = true;
        resolve();
      }),
    );
    await new Promise(setImmediate);
    expect(closed).toBe(false);
    socket.end();
    const [last] = await once(socket, 'data');
    expect(String(last)).toBe('!');
    await done;
    expect(await count()).toBe(0);
    await close();
  });

  test('data() that destroys, ends, pauses, closes the server', async () => {
    const pool = newPool();
    let served: Server;
    const bodies: string[] = [];
    const { server, port, sockets, close } = await service(pool, (socket) => ({
      data: frames((body) => {
        const what = body.toString();
        bodies.push(what);
        if (what === 'destroy') socket.destroy();
        if (what === 'end') socket.end('bye');
        if (what === 'close') served.close();
        if (what === 'pause') {
          socket.pause();
          setImmediate(() => socket.resume());
        }
      }),
    }));
    served = server;
    const errors: Error[] = [];
    server.prependListener('connection', (socket) => socket.on('error', (error) => errors.push(error)));
    const say = (what: string) => {
      const bytes = Buffer.alloc(4 + what.length, what);
      bytes.writeUInt32LE(what.length);
      bytes.write(what, 4);
      return bytes;
    };
    const part = frame(300, 1).subarray(0, 100);
    const one = await client(port);
    one.write(Buffer.concat([say('pause'), say('after'), part]));
    one.write(Buffer.concat([frame(300, 1).subarray(100), say('destroy'), part]));
    while (sockets[0]?.closed !== true) await new Promise(setImmediate);
    one.destroy();
    expect(bodies.filter((body) => body.length < 10)).toEqual(['pause', 'after', 'destroy']);
    const two = await client(port);
    two.write(Buffer.concat([say('close'), say('end'), part]));
    const [bye] = await once(two, 'data');
    expect(String(bye)).toBe('bye');
    two.end();
    while (sockets.some((socket) => !socket.closed)) await new Promise(setImmediate);
    // Nobody else listens for errors.
    expect(errors).toEqual([coded('ERR_SLABPOOL_TRUNCATED')]);
    expect(pool.outstanding()).toBe(0);
    await close();
  });

  test('a receiver that just wants more: lines of any length; what it takes is its own', async () => {
    const pool = newPool();
    const lines = fc.sample(fc.string({ unit: 'binary-ascii', maxLength: 90 }), { numRuns: 200, seed: 7 });
    const text = lines.map((line, i) => line.replaceAll('\n', '').padEnd(i === 100 ? 500_000 : 0, 'long '));
    const taken: Chunk[] = [];
    const { port, close } = await service(pool, (socket) => ({
      data(reader) {
        let at = reader.indexOf(10);
        for (; at !== -1; at = reader.indexOf(10)) {
          taken.push(reader.take(at - reader.start));
          reader.consume(1);
        }
        if (reader.ended) taken.push(reader.take(reader.length));
      },
      end: () => socket.end(),
    }));
    const socket = await client(port);
    socket.end(`${text.join('\n')}\nno end`);
    socket.resume();
    await once(socket, 'close');
    expect(taken.map((chunk) => chunk.bytes.toString('latin1', chunk.start, chunk.end))).toEqual([...text, 'no end']);
    for (const chunk of taken) chunk.release();
    await close();
  });

  test('what a socket reads while its connection waits for a lease is not lost', async () => {
    const pool = newPool({ maxBytes: 256 * KiB, maxPooledSize: 64 * KiB });
    const mine = pool.acquireMany(64 * KiB, 4);
    let got = 0;
    const { port, serving, sockets, close } = await service(pool, () => ({
      data: frames((body) => {
        got += body.length;
      }),
    }));
    const socket = await client(port);
    socket.write(frame(50_000, 1).subarray(0, 40_000));
    while (serving.waiting === 0) await new Promise(setImmediate);
    // What arrives meanwhile, since somebody resumes the socket, is not lost.
    socket.write(frame(50_000, 1).subarray(40_000));
    const before = serving.waitingBytes;
    while (serving.waitingBytes < 50_004) {
      sockets[0].resume();
      await new Promise(setImmediate);
    }
    expect(before).toBeLessThan(50_004);
    pool.releaseMany(mine);
    while (got < 50_000) await new Promise(setImmediate);
    expect(serving).toMatchObject({ waiting: 0, waitingBytes: 0 });
    expect(pool.outstanding()).toBe(0);
    socket.destroy();
    await close();
  });

  test('closing the pool ends a connection that needs a lease', async () => {
    const pool = new BufferPool({ backend });
    const errors: Error[] = [];
    const { port, sockets, close } = await service(pool, () => ({
      data: frames(() => pool.close()),
      error: (error) => errors.push(error),
    }));
    const socket = await client(port);
    socket.write(Buffer.concat([frame(10, 1), frame(100, 1).subarray(0, 20)]));
    while (sockets[0]?.closed !== true) await new Promise(setImmediate);
    expect(errors).toEqual([coded('ERR_SLABPOOL_CLOSED')]);
    socket.destroy();
    await close();
  });

  test('take() waits for a lease, and data() is called again; nothing else holds one meanwhile', async () => {
    const pool = newPool({ maxBytes: 256 * KiB, maxPooledSize: 64 * KiB });
    const mine = pool.acquireMany(64 * KiB, 4);
    const seeds: number[] = [];
    const taken: Chunk[] = [];
    const { port, serving, close } = await service(pool, (socket) => ({
      data(reader) {
        while (reader.read(4)) {
          const length = reader.bytes.readUInt32LE(reader.start);
          if (!reader.read(4 + length)) return;
          const chunk = reader.take(4 + length);
          seeds.push(chunk.bytes[chunk.start + 4]);
          // Four of these fill the budget.
          taken.push(chunk);
          setImmediate(() => taken.shift()?.release());
        }
      },
      end: () => socket.end(),
    }));
    const clients = await Promise.all(
      [10, 20, 30].map(async (first) => {
        const socket = await client(port);
        const all = Array.from({ length: 9 }, (_, i) => frame(50_000 + first, first + i));
        socket.end(Buffer.concat(all));
        socket.resume();
        return { closed: once(socket, 'close') };
      }),
    );
    while (serving.waiting < 3) await new Promise(setImmediate);
    expect(pool.outstanding()).toBe(4);
    pool.releaseMany(mine);
    await Promise.all(clients.map(({ closed }) => closed));
    const all = [10, 20, 30].flatMap((first) => Array.from({ length: 9 }, (_, i) => first + i));
    expect(seeds.sort((a, b) => a - b)).toEqual(all);
    while (taken.length > 0) await new Promise(setImmediate);
    await close();
  });

  test('the end of both sides while a lease is waited for', async () => {
    const pool = newPool({ maxBytes: 256 * KiB, maxPooledSize: 64 * KiB });
    const mine = pool.acquireMany(64 * KiB, 4);
    const lives: string[] = [];
    const { port, serving, close } = await service(pool, (socket) => {
      socket.end('hello');
      return {
        data(reader) {
          while (reader.read(4)) {
            const length = reader.bytes.readUInt32LE(reader.start);
            if (!reader.read(4 + length)) return;
            const chunk = reader.take(4 + length);
            lives.push(`${chunk.end - chunk.start}`);
            chunk.release();
          }
        },
        end: () => lives.push('end'),
        close: () => lives.push('close'),
      };
    });
    const socket = await client(port);
    socket.resume();
    socket.end(Buffer.concat([frame(1000, 1), frame(2000, 2)]));
    while (serving.waiting === 0) await new Promise(setImmediate);
    await once(socket, 'close');
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(lives).toEqual([]);
    pool.releaseMany(mine);
    while (!lives.includes('close')) await new Promise(setImmediate);
    expect(lives).toEqual(['1004', '2004', 'end', 'close']);
    await close();
  });

  test('a connection that was paused when it was made is read when it is resumed', async () => {
    const pool = newPool();
    const order: string[] = [];
    const { port, sockets, close } = await service(pool, (socket) => {
      socket.pause();
      return {
        data: frames((body) => order.push(`${body.length}`)),
        end: () => socket.end(),
      };
    });
    const socket = await client(port);
    socket.end(frame(70_000, 1));
    socket.resume();
    while (sockets.length === 0) await new Promise(setImmediate);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    order.push('resumed');
    sockets[0].resume();
    await once(socket, 'close');
    expect(order).toEqual(['resumed', '70000']);
    await close();
  });

  test('a client receives as well', async () => {
    const pool = newPool();
    const all = [frame(10, 1), frame(MiB, 2), frame(1000, 3), frame(0, 4), frame(70_000, 5)];
    const server = createServer((socket) => {
      socket.end(Buffer.concat(all));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bodies: Buffer[] = [];
    const socket = connect(
      pool,
      { port: (server.address() as AddressInfo).port, host: '127.0.0.1' },
      { data: frames((body) => bodies.push(Buffer.from(body))), end: () => bodies.push(Buffer.from('end')) },
      { maxLength: MAX },
    );
    await once(socket, 'close');
    expect(
      Buffer.concat(bodies).equals(Buffer.concat([...all.map((bytes) => bytes.subarray(4)), Buffer.from('end')])),
    ).toBe(true);
    await new Promise((closed) => server.close(closed));
  });
});
