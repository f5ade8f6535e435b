// feed() and checkParser(), with parsers made for it.
import { EventEmitter } from 'node:events';
import { PassThrough, Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { BufferPool } from 'slabpool';
import {
  type Chunk,
  type ChunkSource,
  checkParser,
  chunkOf,
  type FeedInput,
  type FeedMode,
  feed,
  fromReadable,
  lines,
} from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, settled } from './backends.js';

const TEXT = Array.from({ length: 300 }, (_, i) => `record ${i}\n`).join('');
const DATA = Buffer.from(TEXT);
const MODES = ['copy', 'records', 'borrow'] as const;

describe.each(BACKENDS)('feed() on the %s core', (backend) => {
  let pool: BufferPool;
  let log: string[];
  beforeEach(() => {
    pool = new BufferPool({ name: 'feed', backend, debug: 'detach', tiers: [KiB], maxBytes: 8 * KiB });
    log = [];
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  async function* chunks(error?: Error): AsyncGenerator<Chunk> {
    try {
      for (let at = 0; at < DATA.length; at += 700) {
        const lease = await pool.acquireAsync(KiB);
        yield chunkOf(lease, 9, 9 + DATA.copy(lease.bytes, 9, at, at + 700));
      }
      if (error !== undefined) throw error;
    } finally {
      log.push('left');
    }
  }

  function source(error?: Error): ChunkSource {
    return { pool, [Symbol.asyncIterator]: () => chunks(error), [Symbol.asyncDispose]: async () => {} };
  }

  const inputFor = (mode: FeedMode, error?: Error): FeedInput =>
    mode === 'records' ? lines(source(error)) : source(error);

  describe.each(MODES)('in the mode %s', (mode) => {
    test('a stream gets all bytes, is ended, and holds nothing then', async () => {
      const seen: Buffer[] = [];
      const parser = new Writable({
        write(bytes, _, done) {
          seen.push(Buffer.from(bytes));
          setImmediate(done);
        },
      });
      expect(await feed(parser, inputFor(mode), mode)).toBe(DATA.length);
      expect(Buffer.concat(seen).toString()).toBe(TEXT);
      expect([parser.writableFinished, pool.outstanding(), log]).toEqual([true, 0, ['left']]);
      if (mode === 'records') expect(seen.every((bytes) => bytes.at(-1) === 10)).toBe(true);
    });

    test('end: false leaves it open', async () => {
      const parser = new Writable({ write: (_bytes, _encoding, done) => done() });
      expect(await feed(parser, inputFor(mode), mode, { end: false })).toBe(DATA.length);
      expect([parser.writableEnded, parser.destroyed]).toEqual([false, false]);
    });

    test('what is no stream is waited for, and ended', async () => {
      const seen: Buffer[] = [];
      const parser = {
        async write(bytes: Buffer) {
          await new Promise(setImmediate);
          seen.push(Buffer.from(bytes));
        },
        async end() {
          await new Promise(setImmediate);
          log.push('ended');
        },
      };
      expect(await feed(parser, inputFor(mode), mode)).toBe(DATA.length);
      expect([Buffer.concat(seen).toString(), log]).toEqual([TEXT, ['left', 'ended']]);
      await feed(parser, inputFor(mode), mode, { end: false });
      expect(log).toEqual(['left', 'ended', 'left']);
    });

    test('an error of the input, the parser, its end: the other is closed', async () => {
      const parsers = (fails: boolean) => [
        new Writable({ write: (_bytes, _encoding, done) => setImmediate(done, fails ? new Error('parser') : null) }),
        {
          write() {
            if (fails) throw new Error('parser');
          },
        },
      ];
      for (const parser of parsers(false)) {
        await expect(feed(parser, inputFor(mode, new Error('input')), mode)).rejects.toThrow('input');
        if (parser instanceof Writable) expect(parser.destroyed).toBe(true);
      }
      for (const parser of parsers(true)) {
        await expect(feed(parser, inputFor(mode), mode)).rejects.toThrow('parser');
      }
      const gone = new Writable({ write: (_bytes, _encoding, done) => setImmediate(done) });
      gone.once('drain', () => {});
      setImmediate(() => gone.destroy());
      await expect(feed(gone, inputFor(mode), mode)).rejects.toMatchObject({
        code: expect.stringMatching(/DESTROYED|PREMATURE/),
      });
      const endless = { write() {}, end: () => Promise.reject(new Error('end')) };
      await expect(feed(endless, inputFor(mode), mode)).rejects.toThrow('end');
      while (log.length < 6) await new Promise(setImmediate);
      expect(pool.outstanding()).toBe(0);
    });

    test('the signal ends it: before it, while the parser writes, while the input is waited for', async () => {
      const reason = new Error('enough');
      const aborted = AbortSignal.abort(reason);
      const stuck = () => new Writable({ write() {} });
      await expect(feed(stuck(), inputFor(mode), mode, { signal: aborted })).rejects.toBe(reason);
      await expect(feed({ write() {} }, inputFor(mode), mode, { signal: aborted })).rejects.toBe(reason);

      const writing = new AbortController();
      const parser = stuck();
      const fed = feed(parser, inputFor(mode), mode, { signal: writing.signal });
      expect(await settled(fed)).toBe(false);
      writing.abort(reason);
      await expect(fed).rejects.toBe(reason);
      expect(parser.destroyed).toBe(true);

      for (const idle of [stuck(), { write() {} }]) {
        const controller = new AbortController();
        const { signal } = controller;
        const silent = fromReadable(pool, new PassThrough(), { signal });
        const waiting = feed(idle, mode === 'records' ? lines(silent) : silent, mode, { signal });
        expect(await settled(waiting)).toBe(false);
        controller.abort(reason);
        await expect(waiting).rejects.toBe(reason);
      }
      while (pool.outstanding() > 0) await new Promise(setImmediate);
    });

    test('a parser that is slow bounds what is read', async () => {
      const callbacks: (() => void)[] = [];
      const parser = new Writable({
        highWaterMark: 1,
        write: (_bytes, _encoding, done) => void callbacks.push(done),
      });
      const fed = feed(parser, inputFor(mode), mode);
      expect(await settled(fed)).toBe(false);
      expect(callbacks).toHaveLength(1);
      expect(pool.outstanding()).toBeLessThanOrEqual(3);
      while (!(await settled(fed))) callbacks.pop()?.();
      expect(await fed).toBe(DATA.length);
    });
  });

  test('only in the mode copy are the bytes the parser’s own', async () => {
    for (const mode of MODES) {
      const kept: Buffer[] = [];
      await feed({ write: (bytes) => void kept.push(bytes) }, inputFor(mode), mode);
      if (mode === 'copy') expect(Buffer.concat(kept).toString()).toBe(TEXT);
      else expect(kept.every(({ length }) => length === 0)).toBe(true);
    }
  });

  test('a promise that write() has returned is waited for, also after an abort; what is lent stays until then', async () => {
    for (const mode of MODES) {
      let finish = () => {};
      const seen: Buffer[] = [];
      const parser = {
        write(bytes: Buffer) {
          seen.push(bytes);
          return new Promise<void>((resolve) => {
            finish = resolve;
          });
        },
      };
      const controller = new AbortController();
      const fed = feed(parser, inputFor(mode), mode, { signal: controller.signal });
      expect(await settled(fed)).toBe(false);
      controller.abort(new Error('enough'));
      expect(await settled(fed)).toBe(false);
      expect(pool.outstanding() > 0).toBe(mode !== 'copy');
      expect(TEXT.startsWith(seen.join('')) && seen[0]?.length).toBeGreaterThan(0);
      finish();
      await expect(fed).rejects.toThrow('enough');
      expect([seen.length, pool.outstanding()]).toEqual([1, 0]);
    }
  });

  test('copies of batches, and batches in place', async () => {
    for (const mode of ['copy', 'borrow'] as const) {
      const seen: string[] = [];
      await feed({ write: (bytes) => void seen.push(bytes.toString()) }, lines(source()), mode);
      expect(seen.join('')).toBe(TEXT);
      expect(seen.every((text) => text.endsWith('\n'))).toBe(true);
    }
  });

  test('records stay until what was made of them is read', async () => {
    const parser = new Transform({
      readableObjectMode: true,
      transform(bytes, _, done) {
        for (let at = 0; at < bytes.length; at += 100) this.push(bytes.subarray(at, at + 100));
        done();
      },
    });
    const fed = feed(parser, lines(source()), 'records');
    expect(await settled(fed)).toBe(false);
    // Nobody has read anything, nor made it flow.
    expect([parser.readableFlowing, parser.readableLength > 0]).toEqual([null, true]);
    // A listener that leaves does not make it flow either.
    parser.once('readable', () => {});
    expect(await settled(fed)).toBe(false);
    expect(parser.readableFlowing).not.toBe(true);
    const first = parser.read() as Buffer;
    expect(first.toString()).toBe(TEXT.slice(0, 100));
    expect(await settled(fed)).toBe(false);
    expect(first.toString()).toBe(TEXT.slice(0, 100));

    let rest = '';
    parser.on('data', (view: Buffer) => {
      rest += view.toString();
    });
    expect(await fed).toBe(DATA.length);
    expect(first).toHaveLength(0);
    expect(TEXT.slice(100)).toBe(rest);
    expect(Object.hasOwn(parser, 'read')).toBe(false);
  });

  test('records are right however they are read: by events, by iteration, by hand', async () => {
    const parser = () =>
      new Transform({
        readableHighWaterMark: 50,
        transform(bytes, _, done) {
          this.push(bytes.subarray(0, 100));
          this.push(bytes.subarray(100));
          done();
        },
      });
    const reads: ((parser: Transform, read: (bytes: Buffer) => void) => Promise<unknown>)[] = [
      (parser, read) => finished(parser.on('data', read)),
      async (parser, read) => {
        for await (const bytes of parser) read(bytes);
      },
      async (parser, read) => {
        parser.on('readable', () => {
          for (let bytes = parser.read(); bytes !== null; bytes = parser.read()) read(bytes);
        });
        await finished(parser);
      },
    ];
    for (const readAll of reads) {
      const through = parser();
      let read = '';
      const all = readAll(through, (bytes) => {
        read += bytes;
      });
      await Promise.all([feed(through, lines(source()), 'records'), all]);
      expect(read).toBe(TEXT);
    }
  });

  test('what a parser keeps that was destroyed is released', async () => {
    const parser = new PassThrough();
    const fed = feed(parser, lines(source()), 'records');
    expect(await settled(fed)).toBe(false);
    expect(parser.readableLength).toBeGreaterThan(0);
    parser.destroy(new Error('closed'));
    await expect(fed).rejects.toThrow('closed');
    while (pool.outstanding() > 0) await new Promise(setImmediate);
  });

  test('a stream whose write() does not call back gets copies only', async () => {
    class Old extends EventEmitter {
      seen = '';
      write(bytes: Buffer): boolean {
        this.seen += bytes;
        return true;
      }
      end(): void {}
      destroy(): void {}
    }
    for (const mode of ['records', 'borrow'] as const) {
      await expect(feed(new Old(), inputFor(mode), mode)).rejects.toEqual(
        coded('ERR_SLABPOOL_INVALID_ARG', new RegExp(`calls back, for the mode '${mode}': feed this one with 'copy'`)),
      );
    }
  });

  test('misuse is told', async () => {
    const parser = { write() {} };
    const bad: [unknown[], RegExp][] = [
      [[{}, chunks()], /parser: expected a Writable, or an object with a method write/],
      [[null, chunks()], /parser: expected/],
      [[parser, chunks(), 'view'], /mode: expected 'copy', 'records' or 'borrow', got the string "view"/],
      [[parser, chunks(), 'copy', { end: 1 }], /'end': expected true or false/],
      [[parser, chunks(), 'copy', { signal: {} }], /'signal': expected an AbortSignal/],
      [[parser, chunks(), 'copy', { window: 1 }], /there is no option 'window'/],
      [[parser, chunks(), 'records'], /input: expected batches of records for the mode 'records'/],
    ];
    for (const [args, message] of bad) {
      await expect(feed(...(args as Parameters<typeof feed>))).rejects.toEqual(
        coded('ERR_SLABPOOL_INVALID_ARG', message),
      );
    }
  });
});

describe.each(BACKENDS)('checkParser() on the %s core', (backend) => {
  const splitter = (made: (bytes: Buffer) => unknown, kept: (bytes: Buffer) => Buffer) => () => {
    let rest: Buffer = Buffer.alloc(0);
    return new Transform({
      readableObjectMode: true,
      transform(piece, _, done) {
        const bytes = rest.length === 0 ? piece : Buffer.concat([rest, piece]);
        const last = bytes.lastIndexOf(10) + 1;
        if (last > 0) this.push(made(bytes.subarray(0, last)));
        rest = kept(bytes.subarray(last));
        done();
      },
    });
  };
  const text = (bytes: Buffer) => bytes.toString();
  const same = (bytes: Buffer) => bytes;
  const copied = (bytes: Buffer) => Buffer.from(bytes);

  test.each([
    ['keeps nothing', text, copied, 'safe', 'safe'],
    ['hands out views', same, copied, 'views', 'views'],
    ['keeps views of what is not whole', text, same, 'corrupts', 'safe'],
    ['throws', assertNoPoison, same, 'corrupts', 'safe'],
  ] as const)('a parser that %s', async (_, made, kept, borrow, records) => {
    // What is left behind a whole record is nothing; an empty view is no view any more under detach.
    const keep = (bytes: Buffer) => (bytes.length === 0 ? Buffer.alloc(0) : kept(bytes));
    const make = splitter(made, keep);
    expect(await checkParser(make, DATA, { backend, mode: 'borrow' })).toMatchObject({ verdict: borrow });
    expect(await checkParser(make, DATA, { backend, mode: 'records', records: lines })).toMatchObject({
      verdict: records,
    });
    const checked = await checkParser(make, DATA, { backend, mode: 'copy' });
    expect(checked).toEqual({ mode: 'copy', safe: true, verdict: 'safe', chunkBytes: null, reason: null });
  });

  test('says at which cut, and what; what is told by emit() counts', async () => {
    const kept: Buffer[] = [];
    const checked = await checkParser(
      (emit) => ({ write: (bytes) => kept.push(bytes), end: () => emit(`${kept.splice(0).join('')}`) }),
      DATA,
      { backend, chunkSizes: [1000] },
    );
    expect(checked).toEqual({
      mode: 'borrow',
      safe: false,
      verdict: 'corrupts',
      chunkBytes: 1000,
      reason: 'value 0 (from 0) differs from what it is with copies',
    });
    const counted = await checkParser(
      (emit) => ({
        write: (bytes) => void kept.push(bytes),
        end() {
          for (const { length } of kept.splice(0)) if (length > 0) emit(length);
        },
      }),
      DATA,
      { backend, chunkSizes: [1000] },
    );
    expect(counted).toMatchObject({ verdict: 'corrupts', reason: 'it handed out 0 values, and 4 with copies' });
  });

  test('a parser that fails with copies is no parser of that input', async () => {
    const make = () => ({
      write() {
        throw new Error('not mine');
      },
    });
    await expect(checkParser(make, DATA, { backend })).rejects.toThrow('not mine');
  });

  test('misuse is told', async () => {
    const make = () => ({ write() {} });
    const bad: [unknown[], RegExp][] = [
      [[null, DATA], /makeParser: expected a function/],
      [[make, 'text'], /input: expected a Buffer or Uint8Array that is not empty/],
      [[make, Buffer.alloc(0)], /not empty/],
      [[make, DATA, { mode: 'records' }], /'records': expected a function for the mode 'records', such as lines/],
      [[make, DATA, { chunkSizes: [] }], /'chunkSizes': expected an array of integers from 1/],
      [[make, DATA, { chunkSizes: [0] }], /'chunkSizes'/],
      [[make, DATA, { cuts: 1 }], /there is no option 'cuts'/],
    ];
    for (const [args, message] of bad) {
      await expect(checkParser(...(args as Parameters<typeof checkParser>))).rejects.toEqual(
        coded('ERR_SLABPOOL_INVALID_ARG', message),
      );
    }
  });
});

function assertNoPoison(bytes: Buffer): string {
  if (bytes.includes(0xde)) throw new Error('poisoned');
  return bytes.toString();
}
