// Files as chunks, whole files, and readers on them: real files, pipes, and what goes wrong with them.
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import {
  ByteReader,
  ByteReaderSync,
  type Chunk,
  fromFile,
  fromFileSync,
  lines,
  readWhole,
  readWholeSync,
} from 'slabpool/io';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';

const folder = mkdtempSync(join(tmpdir(), 'slabpool-io-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const BLOCK = 8 * KiB;
const content = Buffer.alloc(5 * BLOCK + 123);
for (let i = 0, x = 1; i < content.length; i++) {
  x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0; // the generator of Numerical Recipes
  content[i] = x >>> 24;
}
const file = join(folder, 'content');
writeFileSync(file, content);
const text = content.toString('latin1');
const empty = join(folder, 'empty');
writeFileSync(empty, '');

// Before any descriptors are counted: a runtime may keep some when it has started a process.
const fifo = join(folder, 'fifo');
if (process.platform !== 'win32') execFileSync('mkfifo', [fifo]);

/** Those of this file's folder and of /proc that are read here and still open: what the runtime opens and closes meanwhile is its own affair. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(folder) || path.endsWith('/cmdline') ? [path] : [];
    } catch {
      return []; // that of the list itself
    }
  });
}

/** As text, which is compared at once. */
const bytesOf = ({ bytes, start, end }: Chunk) => bytes.toString('latin1', start, end);

async function all(chunks: AsyncIterable<Chunk> | Iterable<Chunk>): Promise<string> {
  const parts: string[] = [];
  for await (const chunk of chunks) {
    parts.push(bytesOf(chunk));
    chunk.release();
  }
  return parts.join('');
}

describe.each(BACKENDS)('files on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'files', backend, maxBytes: 2 * MiB });
  });
  afterEach(() => {
    expect(openFiles()).toEqual([]);
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('the whole file, by path, URL, descriptor and handle, at once and in parts', async () => {
    expect(await all(fromFile(pool, file, { block: BLOCK }))).toBe(text);
    expect(await all(fromFile(pool, pathToFileURL(file), { block: BLOCK, ahead: 0 }))).toBe(text);
    expect(await all(fromFileSync(pool, file, { block: BLOCK }))).toBe(text);
    expect(await all(fromFile(pool, empty))).toBe('');
    expect(await all(fromFileSync(pool, empty))).toBe('');
    const fd = openSync(file, 'r');
    expect(await all(fromFile(pool, fd, { start: 100, end: 2 * BLOCK + 200, block: BLOCK }))).toBe(
      text.slice(100, 2 * BLOCK + 200),
    );
    expect(await all(fromFileSync(pool, fd, { start: content.length - 5 }))).toBe(text.slice(-5));
    expect(await all(fromFile(pool, fd, { start: content.length + 5 }))).toBe('');
    closeSync(fd);
    const handle = await open(file);
    expect(await all(fromFile(pool, handle, { block: BLOCK }))).toBe(text);
    expect(bytesOf2(await readWhole(pool, handle))).toBe(text);
    await handle.close();
    expect(bytesOf2(await readWhole(pool, file))).toBe(text);
    expect(bytesOf2(readWholeSync(pool, file))).toBe(text);
    expect(bytesOf2(await readWhole(pool, empty))).toBe('');
    expect(bytesOf2(readWholeSync(pool, empty))).toBe('');
  });

  function bytesOf2(chunk: Chunk): string {
    const bytes = bytesOf(chunk);
    chunk.release();
    return bytes;
  }

  test.skipIf(process.platform === 'win32')('what has no size before it is read: /proc, and a pipe', async () => {
    const status = bytesOf2(readWholeSync(pool, '/proc/self/cmdline'));
    expect(status.length).toBeGreaterThan(0);
    expect(bytesOf2(await readWhole(pool, '/proc/self/cmdline'))).toEqual(status);
    // Read and written by one descriptor, so that opening it waits for nobody.
    const fd = openSync(fifo, 'r+');
    writeFileSync(fd, 'through a pipe\n'.repeat(100));
    const reader = new ByteReader(fromFile(pool, fd, { block: BLOCK }));
    expect(await reader.read(1500)).toBe(true);
    expect(reader.bytes.toString('latin1', reader.start, reader.start + 15)).toBe('through a pipe\n');
    reader.consume(1500);
    // Nothing is read ahead of a pipe, so that nothing is under way that nobody ends.
    await reader.close();
    closeSync(fd);
  });

  test('an iteration that is left early, fails or is aborted leaves nothing open and nothing leased', async () => {
    for await (const chunk of fromFile(pool, file, { block: BLOCK, ahead: 4 })) {
      chunk.release();
      break;
    }
    for (const chunk of fromFileSync(pool, file, { block: BLOCK })) {
      chunk.release();
      break;
    }
    const failing = async () => {
      for await (const chunk of fromFile(pool, file, { block: BLOCK })) {
        chunk.release();
        throw new Error('of the consumer');
      }
    };
    await expect(failing()).rejects.toThrow('of the consumer');
    const reason = new Error('enough');
    for (const after of [0, 1, 2, 5]) {
      const controller = new AbortController();
      const source = fromFile(pool, file, { block: BLOCK, signal: controller.signal });
      let chunks = 0;
      const aborted = async () => {
        if (after === 0) controller.abort(reason);
        for await (const chunk of source) {
          chunk.release();
          if (++chunks === after) controller.abort(reason);
        }
      };
      await expect(aborted()).rejects.toBe(reason);
      await source[Symbol.asyncDispose]();
      expect(chunks).toBe(after);
    }
    const never = fromFile(pool, file);
    await never[Symbol.asyncDispose]();
    expect(await all(never)).toBe('');
    const before = AbortSignal.abort(reason);
    await expect(all(fromFile(pool, file, { signal: before }))).rejects.toBe(reason);
    await expect(readWhole(pool, file, { signal: before })).rejects.toBe(reason);
  });

  test('several who ask before the first has its answer get chunks in order', async () => {
    const iterator = fromFile(pool, file, { block: BLOCK })[Symbol.asyncIterator]();
    const asked = await Promise.all(Array.from({ length: 8 }, () => iterator.next()));
    const parts = asked.filter(({ done }) => !done).map(({ value }) => bytesOf2(value as Chunk));
    expect(parts.join('')).toBe(text);
    expect(asked.slice(6)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
  });

  test("Node's errors come as they are, and everything is closed", async () => {
    const none = join(folder, 'none');
    const missing = expect.objectContaining({ code: 'ENOENT' });
    await expect(all(fromFile(pool, none))).rejects.toEqual(missing);
    await expect(all(fromFileSync(pool, none))).rejects.toEqual(missing);
    await expect(readWhole(pool, none)).rejects.toEqual(missing);
    expect(() => readWholeSync(pool, none)).toThrow(missing);
    await expect(all(fromFile(pool, folder))).rejects.toEqual(expect.objectContaining({ code: 'EISDIR' }));
    await expect(all(fromFileSync(pool, folder))).rejects.toEqual(expect.objectContaining({ code: 'EISDIR' }));
    await expect(all(fromFile(pool, 9999))).rejects.toEqual(expect.objectContaining({ code: 'EBADF' }));
  });

  test('a file that ends before `end`, or shrinks while it is read, is an error with the offset', async () => {
    const error = coded('ERR_SLABPOOL_TRUNCATED', /ended at offset 41083, and 50000/, {
      details: { offset: 41_083, expectedBytes: 50_000 },
    });
    await expect(all(fromFile(pool, file, { block: BLOCK, end: 50_000 }))).rejects.toEqual(error);
    await expect(all(fromFileSync(pool, file, { block: BLOCK, end: 50_000 }))).rejects.toEqual(error);
    const shrinking = join(folder, `shrinking-${backend}`);
    writeFileSync(shrinking, content);
    let chunks = 0;
    const shrunk = async () => {
      for await (const chunk of fromFile(pool, shrinking, { block: BLOCK, ahead: 0, end: content.length })) {
        chunk.release();
        if (++chunks === 2) truncateSync(shrinking, 2 * BLOCK + 10);
      }
    };
    await expect(shrunk()).rejects.toEqual(coded('ERR_SLABPOOL_TRUNCATED', /offset 16394/));
    expect(chunks).toBe(3);
  });

  test('a file that grows while it is read is read to its end', async () => {
    const growing = join(folder, `growing-${backend}`);
    writeFileSync(growing, content);
    const parts: string[] = [];
    let grown = 0;
    for await (const chunk of fromFile(pool, growing, { block: BLOCK })) {
      parts.push(bytesOf2(chunk));
      if (++grown <= 4) appendFileSync(growing, content.subarray(0, 1000));
    }
    expect(parts.join('')).toBe(text + text.slice(0, 1000).repeat(4));
  });

  test('a budget of four blocks is enough to read ahead, and a slow consumer stays within it', async () => {
    const small = new BufferPool({ name: 'small', backend, tiers: [BLOCK], maxBytes: 4 * BLOCK });
    const held: Chunk[] = [];
    const parts: string[] = [];
    for await (const chunk of fromFile(small, file, { block: BLOCK, ahead: 8 })) {
      parts.push(bytesOf(chunk));
      held.push(chunk);
      expect(small.stats().residentBytes).toBeLessThanOrEqual(4 * BLOCK);
      // Two are kept back: there is less and less room for reading ahead.
      if (held.length > 2) held.shift()?.release();
    }
    for (const chunk of held) chunk.release();
    expect(parts.join('')).toBe(text);
    small.assertNoLeaks();
    small.close();
  });

  test('whoever waits for room gets on when others release, and is told of an abort meanwhile', async () => {
    const small = new BufferPool({ name: 'small', backend, tiers: [BLOCK], maxBytes: BLOCK });
    const lease = small.acquire(BLOCK);
    const waits = all(fromFile(small, file, { block: BLOCK }));
    const controller = new AbortController();
    const source = fromFile(small, file, { block: BLOCK, signal: controller.signal });
    const aborted = all(source);
    const left = fromFile(small, file, { block: BLOCK });
    const leaving = all(left);
    while (small.stats().waits.waiting < 3) await new Promise(setImmediate);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await left[Symbol.asyncDispose]();
    expect(await leaving).toBe('');
    expect(small.stats().waits.waiting).toBe(1);
    lease.release();
    expect(await waits).toBe(text);
    small.assertNoLeaks();
    small.close();
  });

  test('a reader beyond its read-ahead sheds that, and beyond the budget is refused, not left waiting', async () => {
    const small = new BufferPool({ name: 'small', backend, tiers: [BLOCK, 2 * BLOCK, 4 * BLOCK], maxBytes: 8 * BLOCK });
    await using reader = new ByteReader(fromFile(small, file, { block: BLOCK, ahead: 7 }));
    expect(await reader.read(4 * BLOCK)).toBe(true);
    expect(Buffer.from(reader.bytes.subarray(reader.start, reader.start + 4 * BLOCK))).toEqual(
      content.subarray(0, 4 * BLOCK),
    );
    await reader.close();
    small.assertNoLeaks();
    small.close();
    // What it would need beside what it has itself can never be had.
    const tight = new BufferPool({ name: 'tight', backend, tiers: [BLOCK, 2 * BLOCK, 4 * BLOCK], maxBytes: 4 * BLOCK });
    await using beyond = new ByteReader(fromFile(tight, file, { block: BLOCK, ahead: 7 }));
    await expect(beyond.read(3 * BLOCK)).rejects.toEqual(coded('ERR_SLABPOOL_EXHAUSTED'));
    // What there is can still be read.
    expect(beyond.bytes.subarray(beyond.start, beyond.end).equals(content.subarray(0, beyond.length))).toBe(true);
    await beyond.close();
    tight.assertNoLeaks();
    tight.close();
  });

  test('a reader: fields in place, whatever is asked for, in any steps', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 12 }),
        fc.boolean(),
        async (steps, takes) => {
          const reader = new ByteReader(fromFile(pool, file, { block: BLOCK }));
          const sync = new ByteReaderSync(fromFileSync(pool, file, { block: BLOCK }));
          let at = 0;
          for (const step of steps) {
            const there = await reader.read(step);
            expect(sync.read(step)).toBe(there);
            expect(there).toBe(at + step <= content.length);
            const n = Math.min(step, content.length - at);
            for (const one of [reader, sync]) {
              expect(one.position).toBe(at);
              const wanted = content.subarray(at, at + n);
              if (takes) {
                const chunk = one.take(n);
                expect(bytesOf2(chunk)).toBe(wanted.toString('latin1'));
              } else {
                expect(one.bytes.subarray(one.start, one.start + n).equals(wanted)).toBe(true);
                one.consume(n);
              }
            }
            at += n;
          }
          await reader.close();
          sync.close();
          expect(pool.outstanding()).toBe(0);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('read() is at once where the bytes are there; indexOf() finds nothing behind the end', async () => {
    await using reader = new ByteReader(fromFile(pool, file, { block: BLOCK }));
    const first = reader.read(1);
    expect(first).toBeInstanceOf(Promise);
    expect(await first).toBe(true);
    expect(await reader.read(10)).toBe(true);
    expect(reader.read(10)).toBe(true);
    expect(reader.indexOf(content.subarray(100, 110))).toBe(reader.start + 100);
    expect(reader.indexOf(content[3] as number)).toBe(reader.start + 3);
    // It stands there, behind what has been read.
    expect(reader.indexOf(content.subarray(-10))).toBe(-1);
    while (await reader.read());
    expect(reader.ended).toBe(true);
    expect(reader.length).toBe(content.length);
    expect(reader.read()).toBe(false);
    expect(() => reader.assertNothingLeft()).toThrow(coded('ERR_SLABPOOL_TRUNCATED', /offset 0/));
  });

  test('misuse of sources and readers is an error', async () => {
    const wrong = [
      () => fromFile({} as never, file),
      () => fromFile(pool, file, { block: 100 }),
      () => fromFile(pool, file, { block: 2 ** 30 }),
      () => fromFile(pool, file, { ahead: -1 }),
      () => fromFile(pool, file, { start: 1.5 }),
      () => fromFile(pool, file, { start: 5, end: 4 }),
      () => fromFile(pool, file, { signal: {} as never }),
      () => fromFile(pool, file, { size: 4 } as never),
      () => fromFileSync(pool, file, { ahead: 1 } as never),
      () => new ByteReader({} as never),
      () => new ByteReaderSync(undefined as never),
      () => readWholeSync(undefined as never, file),
      ...[null, undefined, {}, -1, 1.5, { fd: -1 }, Number.NaN].flatMap((none) => [
        () => fromFile(pool, none as never),
        () => fromFileSync(pool, none as never),
        () => readWholeSync(pool, none as never),
      ]),
    ];
    for (const call of wrong) expect(call).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    await using reader = new ByteReader(fromFile(pool, file));
    await reader.read(10);
    for (const n of [-1, 0.5, Number.NaN, content.length + 1, '1', undefined]) {
      expect(() => reader.consume(n as number)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
      expect(() => reader.take(n as number)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    }
    expect(() => reader.read(-1)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    reader.start = -5;
    expect(() => reader.read(1)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /start/));
    reader.start = 4096;
    const first = reader.read(content.length * 2) as Promise<boolean>;
    await expect(reader.read(content.length * 2)).rejects.toEqual(coded('ERR_SLABPOOL_INVALID_ARG', /not settled/));
    expect(await first).toBe(false);
  });

  test('a reader that is closed while it reads says so', async () => {
    const reader = new ByteReader(fromFile(pool, file, { block: BLOCK }));
    const reading = reader.read(content.length) as Promise<boolean>;
    const closing = reader.close();
    await expect(reading).rejects.toEqual(coded('ERR_SLABPOOL_CLOSED'));
    await closing;
    expect(reader.read(1)).toBe(false);
    await reader.close();
  });

  test('a pool that is closed meanwhile is an error, and what was read is given back', async () => {
    const other = new BufferPool({ name: 'closing', backend });
    let batches = 0;
    const reading = async () => {
      for await (const _ of lines(fromFile(other, file, { block: BLOCK }))) {
        batches++;
        other.close();
      }
    };
    await expect(reading()).rejects.toEqual(coded('ERR_SLABPOOL_CLOSED'));
    expect(batches).toBeGreaterThan(0);
  });
});
