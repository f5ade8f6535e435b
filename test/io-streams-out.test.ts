import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer as createHttpServer, Server as HttpServer, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable, Writable } from 'node:stream';
import { BufferPool } from 'slabpool';
import {
  type Chunk,
  chunkOf,
  fromReadable,
  lines,
  pump,
  toIter,
  toReadable,
  toReadableUnsafe,
  toWeb,
} from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, settled } from './backends.js';

const BLOCK = 4 * KiB;
const DATA = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

describe.each(BACKENDS)('chunks into streams on the %s core', (backend) => {
  let pool: BufferPool;
  let log: string[];
  const servers: Server[] = [];
  beforeEach(() => {
    pool = new BufferPool({ name: 'out', backend, tiers: [BLOCK], maxBytes: 4 * BLOCK });
    log = [];
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      const closed = once(server, 'close');
      server.close();
      // A request that nobody reads, and that is cut off, is still open here.
      if (server instanceof HttpServer) server.closeAllConnections();
      await closed;
    }
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  function chunk(bytes: Buffer, start = 0): Chunk {
    const lease = pool.acquire(BLOCK);
    bytes.copy(lease.bytes, start);
    return chunkOf(lease, start, start + bytes.length);
  }

  /** Chunks of `data`; `log` tells when they are left. They fail at their end with `error`. */
  async function* chunks(data: Buffer = DATA, error?: Error): AsyncGenerator<Chunk> {
    try {
      for (let at = 0; at < data.length; at += 3000) {
        const lease = await pool.acquireAsync(BLOCK);
        const n = data.copy(lease.bytes, 5, at, at + 3000);
        yield chunkOf(lease, 5, 5 + n);
      }
      if (error !== undefined) throw error;
    } finally {
      log.push('left');
    }
  }

  async function* endless(): AsyncGenerator<Chunk> {
    for (;;) yield* chunks();
  }

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function gathered(readable: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of readable) parts.push(Buffer.from(part));
    return Buffer.concat(parts);
  }

  test('no more than the window is in flight, each released in its callback; the stream stays open', async () => {
    const callbacks: (() => void)[] = [];
    const seen: Buffer[] = [];
    const writable = new Writable({
      highWaterMark: 1_000_000,
      write(bytes, _, done) {
        seen.push(Buffer.from(bytes));
        callbacks.push(done);
      },
    });
    const all = [1, 2, 3].map((i) => Buffer.alloc(10, i));
    const pumped = pump([chunk(Buffer.alloc(0)), ...all.map((bytes) => chunk(bytes, 7))], writable, { window: 2 });
    for (let done = 0; done < 3; done++) {
      expect(await settled(pumped)).toBe(false);
      expect([pool.outstanding(), writable.writableLength]).toEqual([3 - done, Math.min(2, 3 - done) * 10]);
      callbacks[done]?.();
    }
    expect(await pumped).toBe(30);
    expect(Buffer.concat(seen)).toEqual(Buffer.concat(all));
    expect([writable.writableEnded, writable.destroyed, writable.listenerCount('drain')]).toEqual([false, false, 0]);
    expect(writable.listenerCount('error')).toBe(0);
  });

  test('a stream that is full is not written to until it is drained', async () => {
    const callbacks: (() => void)[] = [];
    const writable = new Writable({ highWaterMark: 10, write: (_bytes, _encoding, done) => void callbacks.push(done) });
    const pumped = pump([chunk(Buffer.alloc(10)), chunk(Buffer.alloc(10))], writable);
    expect([await settled(pumped), writable.writableLength]).toEqual([false, 10]);
    callbacks[0]?.();
    expect([await settled(pumped), callbacks.length]).toEqual([false, 2]);
    callbacks[1]?.();
    expect(await pumped).toBe(20);
  });

  test('end: true ends the stream and waits for it; through a pipe of fromReadable() the bytes are the same', async () => {
    const through = new PassThrough();
    const got = gathered(through);
    expect(await pump(fromReadable(pool, toReadable(chunks()), { block: 1000 }), through, { end: true })).toBe(50_000);
    expect(through.writableFinished).toBe(true);
    expect((await got).equals(DATA)).toBe(true);
    expect(log).toEqual(['left']);
  });

  test('to a FileHandle and a descriptor, which stay open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
    const handle = await open(join(folder, 'data'), 'w');
    expect(await pump(chunks(), handle)).toBe(50_000);
    expect(await pump(chunks(), handle.fd)).toBe(50_000);
    await expect(pump(chunks(DATA, new Error('broken')), handle)).rejects.toThrow('broken');
    const controller = new AbortController();
    const aborted = pump(endless(), handle, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await handle.close();
    expect(
      readFileSync(join(folder, 'data'))
        .subarray(0, 100_000)
        .equals(Buffer.concat([DATA, DATA])),
    ).toBe(true);
    rmSync(folder, { recursive: true });
    while (pool.outstanding() > 0) await new Promise(setImmediate);
  });

  test('a file that is busy is tried again', async () => {
    const got: Buffer[] = [];
    let calls = 0;
    const file = {
      fd: 1,
      async write(bytes: Buffer, at: number, length: number) {
        if (++calls % 2 === 1) throw Object.assign(new Error('busy'), { code: 'EAGAIN' });
        got.push(Buffer.from(bytes.subarray(at, at + Math.min(length, 2000))));
        return { bytesWritten: Math.min(length, 2000) };
      },
    };
    expect(await pump(chunks(), file as never)).toBe(50_000);
    expect(Buffer.concat(got).equals(DATA)).toBe(true);
  });

  test('what fails closes the other: the source, the stream, the stream before, the signal', async () => {
    const discard = () => new Writable({ write: (_bytes, _encoding, done) => setImmediate(done) });
    const one = discard();
    await expect(pump(chunks(DATA, new Error('broken')), one)).rejects.toThrow('broken');
    expect([one.destroyed, log]).toEqual([true, ['left']]);

    const two = new Writable({ write: (_bytes, _encoding, done) => setImmediate(done, new Error('full')) });
    await expect(pump(chunks(), two)).rejects.toThrow('full');
    expect(log).toEqual(['left', 'left']);

    const three = discard().destroy();
    await expect(pump(endless(), three)).rejects.toMatchObject({ code: expect.stringMatching(/DESTROYED|PREMATURE/) });

    for (const stalls of [false, true]) {
      const controller = new AbortController();
      const reason = new Error('enough');
      const four = stalls ? new Writable({ write() {} }) : discard();
      const pumped = pump(endless(), four, { signal: controller.signal });
      expect(await settled(pumped)).toBe(false);
      controller.abort(reason);
      await expect(pumped).rejects.toBe(reason);
      expect(four.destroyed).toBe(true);
    }
    const five = discard();
    await expect(pump([], five, { signal: AbortSignal.abort('no') })).rejects.toBe('no');
    expect(five.destroyed).toBe(true);
    while (pool.outstanding() > 0) await new Promise(setImmediate);
  });

  test('a stream that fails while the source is waited for ends the waiting', async () => {
    const input = new PassThrough();
    const output = new PassThrough();
    const pumped = pump(fromReadable(pool, input), output);
    expect(await settled(pumped)).toBe(false);
    output.destroy(new Error('gone'));
    await expect(pumped).rejects.toThrow('gone');
    expect(input.destroyed).toBe(true);
  });

  test('a response whose client goes away, a request that is destroyed, a socket that is reset: all is released', async () => {
    let answered: Promise<unknown> | undefined;
    const port = await listening(
      createHttpServer((incoming, response: ServerResponse) => {
        if (incoming.method === 'GET') answered = pump(endless(), response);
      }),
    );
    const get = request({ port, host: '127.0.0.1' }).end();
    const [response] = (await once(get, 'response')) as [Readable];
    await once(response, 'data');
    get.destroy();
    await expect(answered).rejects.toThrow();

    // Nobody reads what it sends, and Node never calls back for what is in it then.
    const post = request({ port, host: '127.0.0.1', method: 'POST' });
    const sent = pump(endless(), post);
    await once(post, 'socket');
    expect(await settled(sent)).toBe(false);
    post.destroy();
    await expect(sent).rejects.toThrow();

    const unconnected = request({ port, host: '127.0.0.1', method: 'POST' });
    const never = pump(endless(), unconnected);
    unconnected.destroy();
    await expect(never).rejects.toThrow();

    const resetting = await listening(
      createServer((socket) => void socket.once('data', () => socket.resetAndDestroy())),
    );
    await expect(pump(endless(), connect(resetting, '127.0.0.1'))).rejects.toThrow();
    while (pool.outstanding() > 0) await new Promise(setImmediate);
  });

  test('a fetch() with a body by toWeb(), echoed by pump(), read into the blocks', async () => {
    let echoed: Promise<number> | undefined;
    const port = await listening(
      createHttpServer((incoming, response) => {
        echoed = pump(fromReadable(pool, incoming, { block: BLOCK }), response, { window: 2, end: true });
      }),
    );
    const init = { method: 'POST', body: toWeb(chunks()), duplex: 'half' } as const;
    const { body } = await fetch(`http://127.0.0.1:${port}`, init as RequestInit);
    const source = fromReadable(pool, body as ReadableStream<Uint8Array>, { block: BLOCK });
    expect((await gathered(toIter(source))).equals(DATA)).toBe(true);
    expect([await echoed, pool.stats().drops.retired]).toEqual([50_000, 0]);
  });

  test('what is no writable, source or option is refused', async () => {
    const refused = coded('ERR_SLABPOOL_INVALID_ARG');
    for (const wrong of [null, undefined, -1, 'file', {}])
      await expect(pump([], wrong as never)).rejects.toThrow(refused);
    for (const wrong of [null, undefined, 1, 'text', {}]) {
      await expect(pump(wrong as never, new PassThrough())).rejects.toThrow(refused);
      for (const to of [toReadable, toReadableUnsafe, toWeb, toIter]) expect(() => to(wrong as never)).toThrow(refused);
    }
    for (const wrong of [{ window: 0 }, { window: 1.5 }, { end: 1 }, { signal: {} }, { other: 1 }]) {
      await expect(pump([], new PassThrough(), wrong as never)).rejects.toThrow(refused);
    }
  });

  test('a source of something else than chunks fails, and is left', async () => {
    const refused = coded('ERR_SLABPOOL_INVALID_ARG', /source of chunks/);
    const pieces = async function* () {
      try {
        yield Buffer.from('piece') as unknown as Chunk;
      } finally {
        log.push('left');
      }
    };
    const given = () => ({ pool, [Symbol.asyncIterator]: pieces, async [Symbol.asyncDispose]() {} });
    await expect(pump(pieces(), new PassThrough())).rejects.toThrow(refused);
    await expect(gathered(toReadable(pieces()))).rejects.toThrow(refused);
    await expect(gathered(toReadableUnsafe(pieces()))).rejects.toThrow(refused);
    await expect(gathered(toIter(pieces()))).rejects.toThrow(refused);
    await expect(toWeb(pieces()).getReader().read()).rejects.toThrow(refused);
    await expect(lines(given()).next()).rejects.toThrow(refused);
    expect(log).toEqual(Array(6).fill('left'));
  });

  describe.each([
    ['toReadable', toReadable],
    ['toReadableUnsafe', toReadableUnsafe],
    ['toIter', toIter],
    ['toWeb', (source: AsyncIterable<Chunk>) => toWeb(source) as unknown as AsyncIterable<Uint8Array>],
  ] as const)('%s()', (name, to) => {
    test('the same bytes, within a budget of four blocks', async () => {
      expect((await gathered(to(chunks()))).equals(DATA)).toBe(true);
      expect((await gathered(to([chunk(Buffer.alloc(0)), chunk(Buffer.from('a'))] as never))).toString()).toBe('a');
      expect([pool.outstanding(), log]).toEqual([0, ['left']]);
    });

    test('left early, it closes the source', async () => {
      for await (const part of to(chunks())) {
        expect(Buffer.from(part).equals(DATA.subarray(0, 3000))).toBe(true);
        expect(pool.outstanding()).toBeLessThanOrEqual(name === 'toReadable' || name === 'toReadableUnsafe' ? 1 : 0);
        break;
      }
      while (log.length === 0) await new Promise(setImmediate);
    });

    test('what the source fails with', async () => {
      await expect(gathered(to(chunks(DATA, new Error('broken'))))).rejects.toThrow('broken');
    });
  });

  test('toReadableUnsafe(): a chunk is out until the next is asked for, with data listeners that pause, too', async () => {
    const readable = toReadableUnsafe(chunks());
    const parts: Buffer[] = [];
    readable.on('data', async (bytes: Buffer) => {
      readable.pause();
      const before = Buffer.from(bytes);
      for (let i = 0; i < 3; i++) await new Promise(setImmediate);
      expect([pool.outstanding(), bytes.equals(before)]).toEqual([1, true]);
      parts.push(before);
      readable.resume();
    });
    await once(readable, 'end');
    expect(Buffer.concat(parts).equals(DATA)).toBe(true);
  });

  test('toReadableUnsafe(): reads of any length, of what lies in several chunks as well', async () => {
    const readable = toReadableUnsafe(chunks());
    const parts: Buffer[] = [];
    readable.on('readable', () => {
      for (let part = readable.read(700); part !== null; part = readable.read(700)) parts.push(Buffer.from(part));
    });
    await once(readable, 'end');
    expect(Buffer.concat(parts).equals(DATA)).toBe(true);
    readable.destroy();
  });

  test('toWeb(): fills the views of a byte reader, of any length; cancelled in the middle of a chunk', async () => {
    for (const length of [1000, 2999, 3000, 3001, 9000]) {
      const reader = toWeb(chunks()).getReader({ mode: 'byob' });
      const parts: Buffer[] = [];
      for (;;) {
        const { value, done } = await reader.read(new Uint8Array(length));
        if (done) break;
        parts.push(Buffer.from(value));
      }
      expect(Buffer.concat(parts).equals(DATA)).toBe(true);
    }
    const reader = toWeb(chunks()).getReader({ mode: 'byob' });
    await reader.read(new Uint8Array(10));
    expect(pool.outstanding()).toBe(1);
    await reader.cancel();
    expect([pool.outstanding(), log.length]).toEqual([0, 6]);
  });
});
