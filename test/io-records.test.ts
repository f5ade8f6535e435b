// Records in batches: however an input is cut into chunks, the records are the same.
import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import {
  type ChunkSource,
  chunkOf,
  delimited,
  delimitedSync,
  fixed,
  fixedSync,
  frames,
  framesSync,
  lengthPrefixed,
  lengthPrefixedSync,
  lines,
  linesSync,
  type RecordBatch,
} from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, KiB, MiB } from './backends.js';

/** Cuts of an input: lengths of its chunks, the last of which is what is left. */
const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 40 });

describe.each(BACKENDS)('records on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'records', backend, maxBytes: 4 * MiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  /** The input in chunks of these lengths, each behind stale bytes, among which are delimiters. */
  function* chunksOf(input: Uint8Array, lengths: readonly number[], before = 3) {
    let at = 0;
    for (const length of [...lengths, input.length]) {
      const lease = pool.acquire(1024 + input.length);
      lease.bytes.fill('\r\n;');
      const part = input.subarray(at, Math.min(at + length, input.length));
      lease.bytes.set(part, before);
      at += part.length;
      yield chunkOf(lease, before, before + part.length);
    }
  }

  const syncSource = (input: Uint8Array, lengths: readonly number[], before?: number) => ({
    pool,
    [Symbol.iterator]: () => chunksOf(input, lengths, before),
    [Symbol.dispose]() {},
  });

  function source(input: Uint8Array, lengths: readonly number[], before?: number): ChunkSource {
    const chunks = chunksOf(input, lengths, before);
    return {
      pool,
      async *[Symbol.asyncIterator]() {
        yield* chunks;
      },
      async [Symbol.asyncDispose]() {},
    };
  }

  /** The records by each of the ways that a batch has. */
  function read(batch: RecordBatch, way: number): Buffer[] {
    const records: Buffer[] = [];
    if (way === 1) {
      while (batch.next()) records.push(batch.copy());
    } else if (way === 2) {
      // Some one by one, and then the rest.
      if (batch.next()) records.push(Buffer.from(batch.text()));
      records.push(...batch.texts().map((text) => Buffer.from(text)));
    } else {
      while (batch.next()) records.push(Buffer.from(batch.bytes.subarray(batch.from, batch.to)));
      expect(batch.next()).toBe(false);
      const all = Buffer.from(batch.bytes.subarray(batch.start, batch.end));
      const chunk = batch.take();
      expect(Buffer.from(chunk.bytes.subarray(chunk.start, chunk.end))).toEqual(all);
      expect([batch.next(), batch.start, batch.end]).toEqual([false, 0, 0]);
      chunk.release();
    }
    return records;
  }

  async function collectBoth(
    make: () => [AsyncIterable<RecordBatch>, Iterable<RecordBatch>],
    way: number,
  ): Promise<Buffer[]> {
    const [async, sync] = make();
    const found: Buffer[] = [];
    for await (const batch of async) found.push(...read(batch, way));
    const foundSync: Buffer[] = [];
    for (const batch of sync) foundSync.push(...read(batch, way));
    expect(foundSync).toEqual(found);
    expect(pool.outstanding()).toBe(0);
    return found;
  }

  const texts = fc.array(fc.stringMatching(/^[a-zé😀\r]{0,12}$/u), { maxLength: 20 });

  test('lines: any cut, LF and CRLF, characters of several bytes, with and without a last LF', async () => {
    await fc.assert(
      fc.asyncProperty(
        texts,
        cuts,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(1, 2, 3),
        async (all, at, crlf, opens, way) => {
          const wanted = all.map((text) => text.replaceAll('\r', crlf ? '' : '\r'));
          // An empty line is none without its end.
          const open = opens && wanted.at(-1) !== '';
          const input = Buffer.from(
            wanted.join(crlf ? '\r\n' : '\n') + (open || wanted.length === 0 ? '' : crlf ? '\r\n' : '\n'),
          );
          const found = await collectBoth(
            () => [lines(source(input, at), { crlf }), linesSync(syncSource(input, at), { crlf })],
            way,
          );
          expect(found.map(String)).toEqual(wanted);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('thousands of lines in one chunk, some of them long and most of them short or empty, in one batch and the rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 300 })), {
          minLength: 1,
          maxLength: 9,
        }),
        fc.integer({ min: 1, max: 250 }),
        fc.integer({ min: 0, max: 100_000 }),
        fc.constantFrom(1, 2, 3),
        async (lengths, times, at, way) => {
          const wanted = Array.from({ length: times }, () =>
            lengths.map((n, i) => 'abc'.charAt(i % 3).repeat(n)),
          ).flat();
          const input = Buffer.from(wanted.map((text) => `${text}\r\n`).join(''));
          const found = await collectBoth(() => [lines(source(input, [at])), linesSync(syncSource(input, [at]))], way);
          expect(found.map(String).join('\n')).toBe(wanted.join('\n'));
        },
      ),
      { numRuns: 8 },
    );
  });

  test('a line whose bytes were detached behind the back of its batch is no crash', () => {
    const input = Buffer.from('line\n'.repeat(2000));
    for (const batch of linesSync(syncSource(input, []))) {
      for (let i = 0; i < 3; i++) batch.next();
      void detach(batch.bytes);
      while (batch.next()) expect(batch.to).toBeGreaterThan(batch.from);
    }
  });

  test('delimiters of one and of several bytes, cut at every offset', async () => {
    for (const delimiter of [';', 59, '--', 'aab', Buffer.from([0, 255, 0])] as const) {
      const bytes = typeof delimiter === 'number' ? Buffer.from([delimiter]) : Buffer.from(delimiter);
      const wanted = ['', 'a', 'aa', 'aaa-', '', 'x'.repeat(50), 'é'].map((text) => Buffer.from(text));
      const input = Buffer.concat(wanted.flatMap((record) => [record, bytes]));
      for (let at = 0; at <= input.length; at++) {
        const found = await collectBoth(
          () => [
            delimited(source(input, [at, 1]), { delimiter }),
            delimitedSync(syncSource(input, [at, 1]), { delimiter }),
          ],
          1 + (at % 3),
        );
        expect(found).toEqual(split(input, bytes));
      }
    }
  });

  /** What a plain search finds: from left to right, so that `aaab` ends with `aab` as it must. */
  function split(input: Buffer, delimiter: Buffer): Buffer[] {
    const records: Buffer[] = [];
    let at = 0;
    for (let to = input.indexOf(delimiter); to !== -1; to = input.indexOf(delimiter, at)) {
      records.push(Buffer.from(input.subarray(at, to)));
      at = to + delimiter.length;
    }
    if (at < input.length) records.push(Buffer.from(input.subarray(at)));
    return records;
  }

  test('records of one size, and behind their lengths', async () => {
    const records = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 });
    const prefixes = fc.constantFrom(1 as const, 2 as const, 4 as const);
    const endians = fc.constantFrom('le' as const, 'be' as const);
    await fc.assert(
      fc.asyncProperty(records, cuts, prefixes, endians, fc.boolean(), async (all, at, prefix, endian, inclusive) => {
        const parts = all.flatMap((record) => {
          const head = Buffer.alloc(prefix);
          const length = record.length + (inclusive ? prefix : 0);
          if (endian === 'be') head.writeUIntBE(length, 0, prefix);
          else head.writeUIntLE(length, 0, prefix);
          return [head, Buffer.from(record)];
        });
        const input = Buffer.concat(parts);
        const options = { prefix, endian, inclusive };
        const found = await collectBoth(
          () => [lengthPrefixed(source(input, at), options), lengthPrefixedSync(syncSource(input, at), options)],
          1,
        );
        expect(found).toEqual(all.map((record) => Buffer.from(record)));
        // Another protocol: a byte that counts itself and what follows.
        const measure = (bytes: Uint8Array, start: number) => (bytes[start] as number) + 1;
        const framed = Buffer.concat(all.flatMap((record) => [Buffer.from([record.length]), record]));
        const whole = await collectBoth(
          () => [frames(source(framed, at), measure), framesSync(syncSource(framed, at), measure)],
          1,
        );
        expect(whole).toEqual(all.map((record) => Buffer.concat([Buffer.from([record.length]), record])));
      }),
      { numRuns: 100 },
    );
    const input = Buffer.from('abcdefghi');
    for (let at = 0; at <= 9; at++) {
      const found = await collectBoth(
        () => [fixed(source(input, [at]), { size: 3 }), fixedSync(syncSource(input, [at]), { size: 3 })],
        3,
      );
      expect(found.map(String)).toEqual(['abc', 'def', 'ghi']);
    }
  });

  test('lines longer than the chunks grow, and what is behind them is in small leases again', async () => {
    const wanted = [
      'short',
      'x'.repeat(700 * KiB),
      'y',
      'z'.repeat(300 * KiB),
      ...Array.from({ length: 400 }, (_, i) => `${i} is short`.repeat(9)),
    ];
    const input = Buffer.from(wanted.join('\n'));
    const found: string[] = [];
    const capacities: number[] = [];
    const cut = Array.from({ length: 100 }, () => 16 * KiB);
    // Small leases, else each chunk's own would hold all.
    async function* small() {
      for (let at = 0, i = 0; at < input.length; i++) {
        const lease = pool.acquire(16 * KiB);
        const length = input.copy(lease.bytes, 0, at, at + (cut[i] as number));
        at += length;
        yield chunkOf(lease, 0, length);
      }
    }
    for await (const batch of lines({ pool, [Symbol.asyncIterator]: small, async [Symbol.asyncDispose]() {} })) {
      capacities.push(batch.bytes.length);
      found.push(...batch.texts());
    }
    expect(found).toEqual(wanted);
    expect(Math.max(...capacities)).toBeGreaterThanOrEqual(700 * KiB);
    expect(capacities.at(-1)).toBeLessThan(100 * KiB);
  });

  test('what is too long is refused with its offset, or left out', async () => {
    const input = Buffer.from(`ab\n${'x'.repeat(100)}\ncd\n${'y'.repeat(11)}\n${'z'.repeat(10)}\n${'e'.repeat(50)}`);
    for (const at of [[], [1, 2, 3, 4], [50, 50], [3], [4], Array.from({ length: 200 }, () => 1)]) {
      const all = async (onTooLong: 'throw' | 'skip', got: string[]) => {
        for await (const batch of lines(source(input, at), { maxLength: 10, onTooLong })) {
          while (batch.next()) got.push(batch.text());
        }
      };
      const got: string[] = [];
      const refused = all('throw', got);
      await expect(refused).rejects.toThrow(
        coded('ERR_SLABPOOL_TOO_LONG', /offset 3 .*maxLength, 10/, { details: { offset: 3, maxLengthBytes: 10 } }),
      );
      expect(got).toEqual(['ab']);
      const left: string[] = [];
      await all('skip', left);
      expect(left).toEqual(['ab', 'cd', 'z'.repeat(10)]);
      const byTexts: string[] = [];
      for (const batch of linesSync(syncSource(input, at), { maxLength: 10, onTooLong: 'skip' }))
        byTexts.push(...batch.texts());
      expect(byTexts).toEqual(left);
    }
  });

  test('lengths that lie are refused before anything is acquired for them', async () => {
    const cases: [Buffer, object, ReturnType<typeof coded>][] = [
      [Buffer.from([255, 255, 255, 255, 1]), {}, coded('ERR_SLABPOOL_TOO_LONG', /offset 0/)],
      [
        Buffer.from([0, 0, 0, 1, 9, 0, 0, 0, 2, 1]),
        {},
        coded('ERR_SLABPOOL_TRUNCATED', /5 bytes of one from offset 5/),
      ],
      [Buffer.from([0, 0, 0, 1, 9, 0, 0]), {}, coded('ERR_SLABPOOL_TRUNCATED', /2 bytes of one from offset 5/)],
      [Buffer.from([0, 3, 9, 0, 1, 7]), { prefix: 2, inclusive: true }, coded('ERR_SLABPOOL_MALFORMED', /offset 3/)],
      [Buffer.from([0, 11, 9]), { prefix: 2, maxLength: 10 }, coded('ERR_SLABPOOL_TOO_LONG', /offset 0/)],
    ];
    for (const [input, options, error] of cases) {
      for (const at of [[], [1], [5], [6]]) {
        const before = pool.stats().acquires;
        const all = async () => {
          for await (const batch of lengthPrefixed(source(input, at), options)) while (batch.next());
        };
        await expect(all()).rejects.toThrow(error);
        const own = pool.stats().acquires - before;
        expect(own).toBeLessThanOrEqual(2 * at.length + 2);
        expect(pool.outstanding()).toBe(0);
      }
    }
    const ten = Buffer.alloc(10);
    for (const [answer, error] of [
      [Number.NaN, /measure.* got NaN/],
      [1.5, /measure.* got 1.5/],
      [-3, /shorter than its own header/],
      [2 ** 40, /longer than maxLength/],
      ['4', /measure/],
    ] as const) {
      expect(() => [...framesSync(syncSource(ten, []), () => answer as number)]).toThrow(error);
    }
  });

  test('an iteration that is left early, or fails, closes the source and releases everything', async () => {
    const input = Buffer.from('one\ntwo\nthree\n'.repeat(100));
    let closed = 0;
    const watched = (): ChunkSource => ({
      ...source(input, [100, 100]),
      async [Symbol.asyncDispose]() {
        closed++;
      },
    });
    for await (const batch of lines(watched())) {
      expect(batch.next()).toBe(true);
      break;
    }
    const failing = async () => {
      for await (const _ of lines(watched())) throw new Error('of the consumer');
    };
    await expect(failing()).rejects.toThrow('of the consumer');
    expect({ closed, outstanding: pool.outstanding() }).toEqual({ closed: 2, outstanding: 0 });
  });

  test('records left out one after the other, more than the stack has room for', async () => {
    const input = Buffer.from(`${'abc\n'.repeat(100_000)}a\n`);
    const way = { maxLength: 2, onTooLong: 'skip' } as const;
    for (const batch of linesSync(syncSource(input, []), way)) {
      expect([batch.next(), batch.text(), batch.next()]).toEqual([true, 'a', false]);
    }
    for (const batch of linesSync(syncSource(input, []), way)) expect(batch.texts()).toEqual(['a']);
    expect.assertions(2);
  });

  test('what is behind the end of the input completes no delimiter', () => {
    const lease = pool.acquire(1024);
    lease.bytes.write('x--y-;--;');
    const chunks = [chunkOf(lease, 0, 5)];
    const given = { pool, [Symbol.iterator]: () => chunks.values(), [Symbol.dispose]() {} };
    const texts: string[] = [];
    for (const batch of delimitedSync(given, { delimiter: '-;' })) texts.push(...batch.texts());
    expect(texts).toEqual(['x--y-']);
  });

  test('a CR that is before no LF is part of the last line', async () => {
    for (const way of [1, 2, 3]) {
      const input = Buffer.from('a\r\nb\r\r\n\r\nc\r');
      const found = await collectBoth(() => [lines(source(input, [4])), linesSync(syncSource(input, [4]))], way);
      expect(found.map(String)).toEqual(['a', 'b\r', '', 'c\r']);
    }
  });

  test('misuse of a batch is an error', async () => {
    const [kept] = [...linesSync(syncSource(Buffer.from('a\nb\n'), []))];
    expect(kept?.next()).toBe(false);
    expect(() => kept?.take()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', /no records any more/));
    const wrong = [
      () => lines(source(Buffer.alloc(1), []), { maxLength: 0 }),
      () => lines(source(Buffer.alloc(1), []), { crlf: 1 } as object),
      () => lines(source(Buffer.alloc(1), []), { onTooLong: 'drop' } as object),
      () => lines(source(Buffer.alloc(1), []), { max: 1 } as object),
      () => lines([] as unknown as ChunkSource),
      () => lines(undefined as unknown as ChunkSource),
      () => linesSync({} as never),
      () => delimited(source(Buffer.alloc(1), []), { delimiter: '' }),
      () => delimited(source(Buffer.alloc(1), []), { delimiter: 256 }),
      () => delimited(source(Buffer.alloc(1), []), undefined as never),
      () => fixed(source(Buffer.alloc(1), []), { size: 0 }),
      () => fixed(source(Buffer.alloc(1), []), undefined as never),
      () => lengthPrefixed(source(Buffer.alloc(1), []), { prefix: 3 } as object),
      () => lengthPrefixed(source(Buffer.alloc(1), []), { endian: 'xe' } as object),
      () => lengthPrefixed(source(Buffer.alloc(1), []), { inclusive: 0 } as object),
      () => frames(source(Buffer.alloc(1), []), 4 as never),
    ];
    for (const call of wrong) expect(call).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
  });
});
