import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import { type Chunk, type ChunkSource, fromReadable } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, settled } from './backends.js';

const BLOCK = 4 * KiB;
const DATA = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));

/** All bytes of a source; each chunk is released at once. */
async function drained(source: ChunkSource): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of source) {
    parts.push(Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end)));
    chunk.release();
  }
  return Buffer.concat(parts);
}

/** `bytes` in pieces that are as long as `cuts` say, over and over. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const all: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const n = cuts[i % cuts.length] as number;
    all.push(Buffer.from(bytes.subarray(at, at + n)));
    at += n;
  }
  return all;
}

/** A byte stream that answers each request with the next piece, as far as it fits. */
function byteStream(all: Buffer[], cancelled: unknown[] = []): ReadableStream<Uint8Array> {
  const left = [...all];
  return new ReadableStream<Uint8Array>({
    type: 'bytes',
    pull(given) {
      const controller = given as ReadableByteStreamController;
      const piece = left.shift();
      if (piece === undefined) {
        controller.close();
        controller.byobRequest?.respond(0);
      } else controller.enqueue(Uint8Array.from(piece));
    },
    cancel(reason) {
      cancelled.push(reason);
    },
  });
}

async function* generated(all: Buffer[], log: string[] = []) {
  try {
    yield* all;
  } finally {
    log.push('left');
  }
}

const INPUTS: [string, (all: Buffer[]) => Parameters<typeof fromReadable>[1]][] = [
  ['Readable of pushed buffers', (all) => pushed(all)],
  ['Readable in object mode', (all) => Readable.from(all)],
  ['generator', (all) => generated(all)],
  ['web stream', (all) => webStream(all)],
  ['web byte stream', (all) => byteStream(all)],
];

function webStream(all: Buffer[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of all) controller.enqueue(piece);
      controller.close();
    },
  });
}

function pushed(all: Buffer[]): Readable {
  const readable = new Readable({ read() {} });
  for (const piece of all) readable.push(piece);
  readable.push(null);
  return readable;
}

describe.each(BACKENDS)('fromReadable() on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'read', backend, tiers: [BLOCK], maxBytes: 4 * BLOCK });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test.each(INPUTS)('any cut of any input gives the same bytes: %s', async (_, open) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 20_000 }),
        fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 8 }),
        fc.oneof(fc.integer({ min: 40, max: BLOCK }), fc.constant(BLOCK)),
        fc.integer({ min: 0, max: BLOCK }),
        async (length, cuts, block, headroom) => {
          const bytes = DATA.subarray(0, length);
          const source = fromReadable(
            pool,
            open(
              pieces(
                bytes,
                cuts.map((n) => n + (length >> 6)),
              ),
            ),
            { block },
          );
          (source as ChunkSource & { headroom: number }).headroom = headroom;
          const parts: Buffer[] = [];
          for await (const chunk of source) {
            expect(chunk.start).toBe(Math.min(headroom, block >> 1));
            expect(chunk.end).toBeGreaterThan(chunk.start);
            expect(chunk.end).toBeLessThanOrEqual(block);
            parts.push(Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end)));
            chunk.release();
          }
          expect(Buffer.concat(parts).equals(bytes)).toBe(true);
          expect(pool.outstanding()).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('small buffers that are there share a block; it does not wait to fill one', async () => {
    const readable = new PassThrough();
    for (let i = 0; i < 10; i++) readable.write(Buffer.alloc(100, i));
    const chunks = fromReadable(pool, readable, { block: BLOCK })[Symbol.asyncIterator]();
    const first = await chunks.next();
    expect(first.value?.end).toBe(1000);
    first.value?.release();
    const second = chunks.next();
    expect(await settled(second)).toBe(false);
    expect(pool.outstanding()).toBe(0); // one that waits holds none
    readable.write(Buffer.from('x'));
    expect((await second).value?.end).toBe(1);
    (await second).value?.release();
    await chunks.return?.();
    expect(readable.destroyed).toBe(true);
  });

  test('reads only when asked, so that a slow consumer holds what it holds, in a budget of four blocks', async () => {
    let made = 0;
    const readable = new Readable({
      highWaterMark: BLOCK,
      read() {
        this.push(made++ < 100 ? Buffer.alloc(BLOCK, made) : null);
      },
    });
    const source = fromReadable(pool, readable, { block: BLOCK });
    const held: Chunk[] = [];
    let seen = 0;
    let released = 0;
    for await (const chunk of source) {
      seen++;
      expect(chunk.bytes[chunk.start]).toBe(seen);
      expect(made).toBeLessThanOrEqual(seen + 4);
      held.push(chunk);
      if (held.length === 4) {
        // The next one waits for the budget.
        const three = held.splice(0, 3);
        setImmediate(() => {
          for (const one of three) one.release();
          released += 3;
        });
      }
    }
    for (const chunk of held) chunk.release();
    expect(seen).toBe(100);
    while (seen - held.length > released) await new Promise(setImmediate);
  });

  test('a file; left early, its descriptor is closed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
    const file = join(folder, 'data');
    writeFileSync(file, DATA);
    expect((await drained(fromReadable(pool, createReadStream(file), { block: BLOCK }))).equals(DATA)).toBe(true);
    const stream = createReadStream(file, { highWaterMark: 100 });
    const closed = new Promise((resolve) => stream.once('close', resolve));
    for await (const chunk of fromReadable(pool, stream, { block: BLOCK })) {
      chunk.release();
      break;
    }
    await closed;
    rmSync(folder, { recursive: true });
  });

  test('a socket that is read to its end can still be written to', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void drained(fromReadable(pool, socket, { block: BLOCK })).then((bytes) => socket.end(String(bytes.length)));
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { connect } = await import('node:net');
    const client: Socket = connect((server.address() as { port: number }).port, '127.0.0.1');
    client.end(DATA);
    expect((await drained(fromReadable(pool, client, { block: BLOCK }))).toString()).toBe(String(DATA.length));
    await new Promise((resolve) => server.close(resolve));
  });

  test('what the input fails with, after the bytes before it; again, until the source is closed', async () => {
    const readable = new PassThrough();
    readable.write('abc');
    const source = fromReadable(pool, readable) as ChunkSource & { pull(): Promise<{ release(): void } | null> };
    (await source.pull())?.release();
    const next = source.pull();
    readable.destroy(new Error('broken'));
    await expect(next).rejects.toThrow('broken');
    await expect(source.pull()).rejects.toThrow('broken');
    await source[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(await source.pull()).toBe(null);

    const cut = new PassThrough();
    const waiting = drained(fromReadable(pool, cut));
    cut.destroy();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    await expect(drained(fromReadable(pool, cut))).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });

  test('text, objects, and what is no stream are refused', async () => {
    const noText = coded('ERR_SLABPOOL_INVALID_ARG', /leave setEncoding\(\) out/);
    expect(() => fromReadable(pool, new PassThrough().setEncoding('utf8'))).toThrow(noText);
    const text = Readable.from(['a']);
    await expect(drained(fromReadable(pool, text))).rejects.toThrow(noText);
    expect(text.destroyed).toBe(true);
    const log: string[] = [];
    await expect(drained(fromReadable(pool, generated([{} as Buffer], log)))).rejects.toThrow(noText);
    expect(log).toEqual(['left']);
    for (const wrong of [null, undefined, 1, 'text', {}, []]) {
      expect(() => fromReadable(pool, wrong as never)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /a Readable/));
    }
    const locked = byteStream([]);
    locked.getReader();
    expect(() => fromReadable(pool, locked)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /no other reader/));
    for (const block of [0, -1, 1.5, Number.NaN, '1']) {
      expect(() => fromReadable(pool, pushed([]), { block: block as number })).toThrow(
        coded('ERR_SLABPOOL_INVALID_ARG', /option 'block'/),
      );
    }
    expect(() => fromReadable(pool, pushed([]), { signal: {} as AbortSignal })).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /an AbortSignal/),
    );
  });

  describe.each<[string, () => { input: Parameters<typeof fromReadable>[1]; closed: () => boolean }]>([
    [
      'Readable',
      () => {
        const input = new PassThrough();
        input.write('abc');
        return { input, closed: () => input.destroyed };
      },
    ],
    [
      'web stream',
      () => {
        const cancelled: unknown[] = [];
        const input = new ReadableStream<Uint8Array>({
          start: (c) => c.enqueue(Buffer.from('abc')),
          cancel: (reason) => void cancelled.push(reason),
        });
        return { input, closed: () => cancelled.length === 1 && !input.locked };
      },
    ],
    [
      'web byte stream',
      () => {
        const cancelled: unknown[] = [];
        const input = new ReadableStream<Uint8Array>({
          type: 'bytes',
          start: (c) => c.enqueue(Uint8Array.from([97, 98, 99])),
          cancel: (reason) => void cancelled.push(reason),
        });
        return { input, closed: () => cancelled.length === 1 && !input.locked };
      },
    ],
    [
      'async iterator that never answers',
      () => {
        let left = 0;
        let asked = 0;
        const iterator = {
          next: () =>
            asked++ === 0 ? Promise.resolve({ done: false, value: Buffer.from('abc') }) : new Promise(() => {}),
          return: async () => ({ done: true, value: left++ }),
        };
        return {
          input: { [Symbol.asyncIterator]: () => iterator } as unknown as AsyncIterable<Uint8Array>,
          closed: () => left === 1,
        };
      },
    ],
  ])('the end of a %s', (_, open) => {
    type Pulled = ChunkSource & { pull(): Promise<{ release(): void; end: number } | null>; close(): Promise<void> };

    test('by close(): before anything, between chunks, while it waits', async () => {
      for (const chunks of [0, 1]) {
        const { input, closed } = open();
        const source = fromReadable(pool, input, { block: BLOCK }) as Pulled;
        for (let i = 0; i < chunks; i++) (await source.pull())?.release();
        await source.close();
        await source.close();
        expect([closed(), await source.pull(), pool.outstanding()]).toEqual([true, null, 0]);
      }
      const { input, closed } = open();
      const source = fromReadable(pool, input, { block: BLOCK }) as Pulled;
      (await source.pull())?.release();
      const waiting = source.pull();
      expect(await settled(waiting)).toBe(false);
      await source.close();
      expect([await waiting, closed(), pool.outstanding()]).toEqual([null, true, 0]);
    });

    test('by abort: before, between chunks, while it waits for bytes, and for the budget', async () => {
      const reason = new Error('enough');
      const before = open();
      await expect(
        (fromReadable(pool, before.input, { block: BLOCK, signal: AbortSignal.abort(reason) }) as Pulled).pull(),
      ).rejects.toBe(reason);
      expect(before.closed()).toBe(true);

      for (const where of ['budget', 'between', 'bytes']) {
        const { input, closed } = open();
        const controller = new AbortController();
        const source = fromReadable(pool, input, { block: BLOCK, signal: controller.signal }) as Pulled;
        const held = where === 'budget' ? pool.acquireMany(BLOCK, 4) : [];
        let waiting: Promise<unknown> | undefined;
        if (where !== 'budget') (await source.pull())?.release();
        if (where !== 'between') {
          waiting = source.pull();
          expect(await settled(waiting)).toBe(false);
        }
        controller.abort(reason);
        await expect(waiting ?? source.pull()).rejects.toBe(reason);
        await expect(source.pull()).rejects.toBe(reason);
        pool.releaseMany(held);
        await source.close();
        expect([closed(), pool.outstanding(), pool.stats().waits.waiting]).toEqual([true, 0, 0]);
      }
    });

    test('by an acquire that fails: the input is closed', async () => {
      const { input, closed } = open();
      const source = fromReadable(pool, input, { block: 2 ** 40 }) as Pulled;
      await expect(source.pull()).rejects.toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
      await source.close();
      expect(closed()).toBe(true);
    });

    test('by a pool that is closed while it waits for the budget', async () => {
      const other = new BufferPool({ backend, tiers: [BLOCK], maxBytes: BLOCK });
      const held = other.acquire(BLOCK);
      const { input, closed } = open();
      const waiting = (fromReadable(other, input, { block: BLOCK }) as Pulled).pull();
      expect(await settled(waiting)).toBe(false);
      other.close();
      await expect(waiting).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
      await settled(waiting);
      expect(closed()).toBe(true);
      held.release();
    });
  });

  test('a byte stream of ten times the budget retires no block; one that fails while it has the memory, one', async () => {
    const bytes = Buffer.concat(Array.from({ length: 10 }, () => DATA));
    expect(
      (await drained(fromReadable(pool, byteStream(pieces(bytes, [5_000])), { block: BLOCK }))).equals(bytes),
    ).toBe(true);
    expect(pool.stats().drops.retired).toBe(0);
    let fail: ((error: unknown) => void) | undefined;
    const broken = new ReadableStream<Uint8Array>({
      type: 'bytes',
      start: (controller) => {
        fail = (error) => controller.error(error);
      },
    });
    const waiting = drained(fromReadable(pool, broken, { block: BLOCK }));
    expect(await settled(waiting)).toBe(false);
    expect(pool.outstanding()).toBe(1);
    fail?.(new Error('broken'));
    await expect(waiting).rejects.toThrow('broken');
    expect(pool.stats().drops.retired).toBe(1);
  });
});
