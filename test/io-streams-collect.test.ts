import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import { type Chunk, type CollectOptions, collect, fromReadable } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB, settled } from './backends.js';

const DATA = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

describe.each(BACKENDS)('collect() on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'body', backend, tiers: [4 * KiB, 16 * KiB, 64 * KiB, 256 * KiB], maxBytes: MiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  function textOf(chunk: Chunk): Buffer {
    const { start, end } = chunk;
    expect(start).toBe(0);
    const copy = Buffer.from(chunk.bytes.subarray(start, end));
    chunk.release();
    return copy;
  }

  test('any cut of any input, of known length or not, gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 500, max: 70_000 }),
        fc.boolean(),
        fc.constantFrom('readable', 'web', 'iterable', 'source'),
        async (length, size, known, kind) => {
          const bytes = DATA.subarray(0, length);
          const pieces: Buffer[] = [];
          for (let at = 0; at < length; at += size) pieces.push(bytes.subarray(at, at + size));
          const readable = Readable.from(pieces, { objectMode: false });
          const input =
            kind === 'readable'
              ? readable
              : kind === 'web'
                ? (Readable.toWeb(readable) as ReadableStream<Uint8Array>)
                : kind === 'iterable'
                  ? { [Symbol.asyncIterator]: () => readable[Symbol.asyncIterator]() }
                  : fromReadable(pool, readable);
          const chunk = await collect(pool, input, known ? { length } : {});
          expect(pool.outstanding()).toBe(1);
          if (known) expect(chunk.lease.size).toBe(length);
          expect(textOf(chunk).equals(bytes)).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a length above maxBytes is refused before anything is acquired or read; more bytes than there may be, as they come', async () => {
    const { acquires } = pool.stats();
    const input = new PassThrough();
    input.write('abc');
    const tooLong = coded('ERR_SLABPOOL_TOO_LONG', /./, { details: { offset: 0, lengthBytes: 11, maxBytes: 10 } });
    await expect(collect(pool, input, { length: 11, maxBytes: 10 })).rejects.toThrow(tooLong);
    expect([pool.stats().acquires, input.destroyed, input.readableLength, input.listenerCount('data')]).toEqual([
      acquires,
      false,
      3,
      0,
    ]);
    for (const options of [{ length: 10 }, { maxBytes: 10 }]) {
      const more = Readable.from([Buffer.alloc(11)]);
      await expect(collect(pool, more, options)).rejects.toThrow(tooLong);
      expect([more.destroyed, pool.outstanding()]).toEqual([true, 0]);
    }
    expect(textOf(await collect(pool, Readable.from([Buffer.from('ten bytes.')]), { maxBytes: 10 })).toString()).toBe(
      'ten bytes.',
    );
    input.destroy();
  });

  test('fewer bytes than announced; an input that fails; text', async () => {
    const truncated = coded('ERR_SLABPOOL_TRUNCATED', /ended after 3 of 4 bytes/, {
      details: { offset: 0, givenBytes: 3, lengthBytes: 4 },
    });
    await expect(collect(pool, Readable.from([Buffer.from('abc')]), { length: 4 })).rejects.toThrow(truncated);
    const cut = new PassThrough();
    cut.write('abc');
    const collecting = collect(pool, cut, { length: 4 });
    expect(await settled(collecting)).toBe(false);
    cut.destroy();
    await expect(collecting).rejects.toThrow(truncated);
    await expect(collecting).rejects.toMatchObject({ cause: { code: 'ERR_STREAM_PREMATURE_CLOSE' } });
    const broken = new PassThrough();
    const failing = collect(pool, broken, { length: 4 });
    broken.destroy(new Error('broken'));
    await expect(failing).rejects.toThrow('broken');
    await expect(collect(pool, Readable.from(['text']))).rejects.toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /encode it/),
    );
  });

  test('an abort: before, while it waits for the budget, for bytes', async () => {
    const reason = new Error('enough');
    for (const where of ['before', 'budget', 'bytes']) {
      const controller = new AbortController();
      if (where === 'before') controller.abort(reason);
      const held = where === 'budget' ? pool.acquireMany(256 * KiB, 4) : [];
      const input = new PassThrough();
      input.write('abc');
      const collecting = collect(pool, input, { length: 4, signal: controller.signal });
      if (where !== 'before') expect(await settled(collecting)).toBe(false);
      controller.abort(reason);
      await expect(collecting).rejects.toBe(reason);
      expect([input.destroyed, pool.stats().waits.waiting]).toEqual([true, 0]);
      pool.releaseMany(held);
    }
  });

  test('an acquire that fails in the middle of growth', async () => {
    const held = pool.acquireMany(256 * KiB, 3);
    held.push(pool.acquire(64 * KiB), pool.acquire(64 * KiB));
    const input = new PassThrough();
    const collecting = collect(pool, input, { maxBytes: 256 * KiB });
    const failed = collecting.catch((error) => error);
    while (!input.destroyed) {
      input.write(DATA.subarray(0, 1000));
      await new Promise(setImmediate);
    }
    expect(await failed).toEqual(coded('ERR_SLABPOOL_EXHAUSTED'));
    pool.releaseMany(held);
  });

  test('bodies of requests: whole, too long and answered so, cut off by the client', async () => {
    let outcome: Promise<unknown> | undefined;
    const server: Server = createServer((incoming: IncomingMessage, response) => {
      const length = Number(incoming.headers['content-length']);
      outcome = collect(pool, incoming, { length, maxBytes: 200_000 }).then(
        (chunk) => response.end(String(textOf(chunk).equals(DATA))),
        (error) => {
          response.writeHead(413).end(error.code);
          throw error;
        },
      );
      outcome.catch(() => {});
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const post = (length: number) =>
      request({ port, host: '127.0.0.1', method: 'POST', headers: { 'content-length': length } });
    const answer = async (length: number, body: Buffer) => {
      const [response] = (await once(post(length).end(body), 'response')) as [IncomingMessage];
      return [response.statusCode, String(Buffer.concat(await response.toArray()))];
    };
    expect(await answer(100_000, DATA)).toEqual([200, 'true']);
    expect(await answer(300_000, Buffer.concat([DATA, DATA, DATA]))).toEqual([413, 'ERR_SLABPOOL_TOO_LONG']);

    outcome = undefined;
    const cut = post(100_000);
    cut.on('error', () => {});
    cut.write(DATA.subarray(0, 50_000));
    while (outcome === undefined) await new Promise(setImmediate);
    cut.destroy();
    await expect(outcome).rejects.toThrow(coded('ERR_SLABPOOL_TRUNCATED'));
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  });

  test('wrong arguments', async () => {
    const refused = coded('ERR_SLABPOOL_INVALID_ARG');
    const wrong = [{ length: -1 }, { length: Number.NaN }, { maxBytes: 1.5 }, { signal: {} }, { other: 1 }];
    for (const options of wrong) {
      const input = new PassThrough();
      await expect(collect(pool, input, options as CollectOptions)).rejects.toThrow(refused);
      expect(input.destroyed).toBe(false);
    }
    for (const input of [null, undefined, 'text', {}])
      await expect(collect(pool, input as never)).rejects.toThrow(refused);
    await expect(collect({} as never, new PassThrough())).rejects.toThrow(refused);
  });
});
