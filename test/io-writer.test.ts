import fc from 'fast-check';
import { BufferPool } from 'slabpool';
import { ByteWriter } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB, settled } from './backends.js';

/** What a writer does, and the bytes that this has to give. */
type Step = readonly [method: string, args: readonly unknown[], bytes: Buffer];

function number(method: string, size: number, write: (bytes: Buffer, value: never) => void) {
  return (value: unknown): Step => {
    const bytes = Buffer.alloc(size);
    write(bytes, value as never);
    return [method, [value], bytes];
  };
}

function leb128(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

const text = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.array(fc.constantFrom('a', 'é', '水', '😀', '\ud800', '\udc00'), { maxLength: 200 }).map((all) => all.join('')),
);
const steps: fc.Arbitrary<Step>[] = [
  fc.integer({ min: 0, max: 255 }).map(number('u8', 1, (b, v) => b.writeUInt8(v))),
  fc.integer({ min: -128, max: 127 }).map(number('i8', 1, (b, v) => b.writeInt8(v))),
  fc.integer({ min: 0, max: 65535 }).map(number('u16le', 2, (b, v) => b.writeUInt16LE(v))),
  fc.integer({ min: 0, max: 65535 }).map(number('u16be', 2, (b, v) => b.writeUInt16BE(v))),
  fc.integer({ min: -32768, max: 32767 }).map(number('i16le', 2, (b, v) => b.writeInt16LE(v))),
  fc.integer({ min: -32768, max: 32767 }).map(number('i16be', 2, (b, v) => b.writeInt16BE(v))),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(number('u32le', 4, (b, v) => b.writeUInt32LE(v))),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }).map(number('u32be', 4, (b, v) => b.writeUInt32BE(v))),
  fc.integer().map(number('i32le', 4, (b, v) => b.writeInt32LE(v))),
  fc.integer().map(number('i32be', 4, (b, v) => b.writeInt32BE(v))),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(number('u64le', 8, (b, v) => b.writeBigUInt64LE(v))),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(number('u64be', 8, (b, v) => b.writeBigUInt64BE(v))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(number('i64le', 8, (b, v) => b.writeBigInt64LE(v))),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(number('i64be', 8, (b, v) => b.writeBigInt64BE(v))),
  fc.double({ noNaN: true }).map(number('f64le', 8, (b, v) => b.writeDoubleLE(v))),
  fc.double({ noNaN: true }).map(number('f64be', 8, (b, v) => b.writeDoubleBE(v))),
  fc.float({ noNaN: true }).map(number('f32le', 4, (b, v) => b.writeFloatLE(v))),
  fc.float({ noNaN: true }).map(number('f32be', 4, (b, v) => b.writeFloatBE(v))),
  fc.oneof(fc.maxSafeNat(), fc.nat(300)).map((v): Step => ['varint', [v], leb128(BigInt(v))]),
  fc
    .oneof(fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }))
    .map((v): Step => ['zigzag', [v], leb128(v < 0 ? -2n * BigInt(v) - 1n : 2n * BigInt(v))]),
  text.map((s): Step => ['utf8', [s], Buffer.from(s)]),
  fc.string({ unit: 'binary', maxLength: 100 }).map((s): Step => {
    const low = Buffer.from(s, 'latin1').toString('latin1');
    return ['latin1', [low], Buffer.from(low, 'latin1')];
  }),
  fc.uint8Array({ maxLength: 200 }).map((bytes): Step => ['write', [bytes], Buffer.from(bytes)]),
];
const anyStep = fc.oneof(...steps);

function take(writer: ByteWriter, [method, args]: Step): void {
  (writer as unknown as Record<string, (...args: readonly unknown[]) => void>)[method](...args);
}

/** What the writer has, told by each way there is to see it. */
function seen(writer: ByteWriter): Buffer {
  const spans = [...writer.segments()].map(({ bytes, start, end }) => bytes.subarray(start, end));
  const all = Buffer.concat(spans);
  expect(writer.length).toBe(all.length);
  expect(writer.copy().equals(all)).toBe(true);
  return all;
}

describe.each(BACKENDS)('ByteWriter on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'writer', backend, maxBytes: 4 * MiB, tiers: [16, 64, KiB, 64 * KiB] });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('whatever is written, in segments of any size, is what comes out', () => {
    fc.assert(
      fc.property(fc.constantFrom(16, 64, KiB), fc.array(anyStep, { maxLength: 60 }), (segment, all) => {
        using writer = new ByteWriter(pool, { segment });
        for (const step of all) take(writer, step);
        const expected = Buffer.concat(all.map(([, , bytes]) => bytes));
        expect(seen(writer).equals(expected)).toBe(true);
        expect(writer.contiguous().equals(expected)).toBe(true);
        writer.u8(1);
        expect(seen(writer).equals(Buffer.concat([expected, Buffer.of(1)]))).toBe(true);
        const chunks = writer.detach();
        const owned = Buffer.concat(chunks.map(({ bytes, start, end }) => bytes.subarray(start, end)));
        expect([owned.length, writer.length]).toEqual([expected.length + 1, 0]);
        for (const chunk of chunks) chunk.release();
      }),
    );
  });

  test('what exceeds maxBytes, or the budget, throws and has changed nothing', () => {
    const { tiers } = pool;
    const small = new BufferPool({ name: 'small', backend, tiers: [...tiers], maxBytes: 256 * KiB });
    const held = small.acquireMany(64 * KiB, 3);
    fc.assert(
      fc.property(fc.array(anyStep, { minLength: 1, maxLength: 60 }), fc.nat(400), (all, maxBytes) => {
        using capped = new ByteWriter(small, { segment: 16, maxBytes });
        let expected = Buffer.alloc(0);
        for (const step of all) {
          const next = Buffer.concat([expected, step[2]]);
          if (next.length > maxBytes) {
            expect(() => take(capped, step)).toThrow(coded('ERR_SLABPOOL_TOO_LONG', /maxBytes/, { pool: 'small' }));
          } else {
            take(capped, step);
            expected = next;
          }
          expect(seen(capped).equals(expected)).toBe(true);
        }
      }),
    );
    using writer = new ByteWriter(small, { segment: 64 * KiB });
    writer.utf8('before');
    for (const grow of [
      () => writer.reserve(64 * KiB),
      () => writer.write(Buffer.alloc(128 * KiB)),
      () => writer.utf8('é'.repeat(64 * KiB)),
      () => writer.latin1('a'.repeat(128 * KiB)),
    ]) {
      expect(grow).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
      expect(seen(writer).toString()).toBe('before');
    }
    small.releaseMany(held);
    writer.write(Buffer.alloc(128 * KiB));
    expect(writer.length).toBe(128 * KiB + 6);
    writer.release();
    small.assertNoLeaks();
    small.close();
  });

  test.each(['é', '水', '😀', '\ud800', '\udc00', 'a\ud83d', '\ude00b'])(
    '%j at every offset of a border between segments',
    (piece) => {
      for (let before = 0; before <= 16; before++) {
        for (const behind of ['', 'x'.repeat(3), '水'.repeat(30)]) {
          using writer = new ByteWriter(pool, { segment: 16 });
          writer.write(Buffer.alloc(before));
          const text = piece + behind;
          expect(writer.utf8(text)).toBe(Buffer.byteLength(text));
          expect(seen(writer).toString('utf8', before)).toBe(Buffer.from(text).toString());
        }
      }
    },
  );

  test('a hole lies in one piece, is 0, and is filled once, wherever it is', () => {
    for (const size of [1, 2, 4, 8] as const) {
      for (let before = 0; before <= 16; before++) {
        for (const endian of ['le', 'be'] as const) {
          using writer = new ByteWriter(pool, { segment: 16 });
          writer.write(Buffer.alloc(before, 0xff));
          const hole = writer.hole(size);
          writer.write(Buffer.alloc(40, 0xff));
          expect(seen(writer).subarray(before, before + size)).toEqual(Buffer.alloc(size));
          const value = [0, 0xfe, 0xfedc, 0, 0xfedcba98, 0, 0, 0, 0x1edcba98765432][size];
          writer.fill(hole, value, endian);
          const expected = Buffer.alloc(8);
          if (endian === 'le') expected.writeBigUInt64LE(BigInt(value));
          else expected.writeBigUInt64BE(BigInt(value));
          const at = endian === 'le' ? 0 : 8 - size;
          expect(seen(writer).subarray(before, before + size)).toEqual(expected.subarray(at, at + size));
          expect(() => writer.fill(hole, 1)).toThrow(
            coded('ERR_SLABPOOL_INVALID_ARG', /not filled yet, got an object of class Hole$/),
          );
        }
      }
    }
  });

  test('a hole of another writer, or of before the writer was emptied or merged, is refused', () => {
    using writer = new ByteWriter(pool, { segment: 16 });
    using other = new ByteWriter(pool);
    const refused = coded('ERR_SLABPOOL_INVALID_ARG', /hole\(\) of this writer/);
    expect(() => writer.fill(other.hole(4), 1)).toThrow(refused);
    for (const end of [
      () => writer.reset(),
      () => writer.contiguous(),
      () => {
        for (const chunk of writer.detach()) chunk.release();
      },
    ]) {
      const hole = writer.hole(4);
      writer.write(Buffer.alloc(20));
      end();
      expect(() => writer.fill(hole, 1)).toThrow(refused);
    }
    const hole = writer.hole(2);
    for (const value of [-1, 65536, 1.5, Number.NaN, '1', 1n, undefined]) {
      expect(() => writer.fill(hole, value as number)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /from 0 to 2\^16/));
    }
    expect(() => writer.fill(hole, 1, 'BE' as 'be')).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /'le' or 'be'/));
    writer.fill(hole, 65535);
  });

  test('what a type does not hold is refused, and nothing is written', () => {
    using writer = new ByteWriter(pool);
    const wrong: Record<string, readonly unknown[]> = {
      u8: [-1, 256, 0.5, Number.NaN, '1', true, null, undefined, 1n],
      i8: [-129, 128, 0.5],
      u16le: [-1, 65536],
      u16be: [-1, 65536],
      i16le: [-32769, 32768],
      i16be: [-32769, 32768],
      u32le: [-1, 2 ** 32, 0.5, Infinity],
      u32be: [-1, 2 ** 32, '7'],
      i32le: [2 ** 31, -(2 ** 31) - 1],
      i32be: [2 ** 31, -(2 ** 31) - 1],
      u64le: [-1n, 2n ** 64n, 1],
      u64be: [-1n, 2n ** 64n, 1],
      i64le: [2n ** 63n, 1],
      i64be: [2n ** 63n, 1],
      f32le: ['1', null],
      f32be: ['1', null],
      f64le: ['1', 1n],
      f64be: ['1', 1n],
      varint: [-1, 2 ** 53, 0.5, '1'],
      zigzag: [2 ** 53, 0.5, '1'],
      utf8: [1, null, Buffer.alloc(1)],
      latin1: ['Ā', `${'a'.repeat(100)}水`, 1],
      write: ['text', null, [1], new ArrayBuffer(1), new Uint16Array(1)],
      hole: [0, 3, 16, '4'],
      reserve: [-1, 0.5 + KiB * KiB, Number.NaN, 'x'],
      advance: [-1, 0.5, 2 ** 20, Number.NaN],
    };
    for (const [method, values] of Object.entries(wrong)) {
      for (const value of values) {
        expect(() => take(writer, [method, [value], Buffer.of()]), `${method}(${String(value)})`).toThrow(
          coded('ERR_SLABPOOL_INVALID_ARG'),
        );
      }
    }
    expect(writer.length).toBe(0);
    writer.u8(1);
    for (const position of [-1, Number.NaN, 1e9, 0.5]) {
      writer.position = position;
      expect(() => writer.copy()).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /position/));
    }
    writer.position = 0;
    for (const options of [{ segment: 15 }, { segment: 1.5 }, { maxBytes: -1 }, { maxBytes: '1' }, { size: 1 }, []]) {
      expect(() => new ByteWriter(pool, options as object)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    }
    expect(() => new ByteWriter({} as BufferPool)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /a BufferPool/));
  });

  test('after release() every method throws; a writer that has written nothing holds nothing', async () => {
    const writer = new ByteWriter(pool);
    expect(pool.outstanding()).toBe(0);
    const hole = writer.hole(4);
    expect(pool.outstanding()).toBe(1);
    writer.reset();
    expect([writer.length, pool.outstanding()]).toEqual([0, 1]);
    writer.release();
    expect(pool.outstanding()).toBe(0);
    const released = coded('ERR_SLABPOOL_LEASE_RELEASED', /this writer was released/);
    const calls: Record<string, readonly unknown[]> = {
      ...Object.fromEntries(
        ['u8', 'i8', 'u16le', 'u16be', 'i16le', 'i16be', 'u32le', 'u32be', 'i32le', 'i32be', 'f32le', 'f32be'].map(
          (name) => [name, [1]],
        ),
      ),
      ...Object.fromEntries(['u64le', 'u64be', 'i64le', 'i64be'].map((name) => [name, [1n]])),
      ...Object.fromEntries(['f64le', 'f64be', 'varint', 'zigzag', 'reserve', 'advance'].map((name) => [name, [1]])),
      utf8: [''],
      latin1: [''],
      write: [Buffer.alloc(0)],
      hole: [1],
      fill: [hole, 1],
      segments: [],
      contiguous: [],
      copy: [],
      detach: [],
      reset: [],
      release: [],
      flushSync: [1],
    };
    for (const [method, args] of Object.entries(calls)) {
      expect(() => take(writer, [method, args, Buffer.of()]), method).toThrow(released);
    }
    await expect(writer.flush(1)).rejects.toThrow(released);
    await expect(writer.ready(1)).rejects.toThrow(released);
    writer[Symbol.dispose]();
  });

  test('ready() waits for room, and gives back what it got for a writer that was released, or got room otherwise', async () => {
    const small = new BufferPool({ name: 'small', backend, tiers: [64 * KiB], maxBytes: 128 * KiB });
    const held = small.acquireMany(64 * KiB, 2);
    const writer = new ByteWriter(small);
    expect(() => writer.u8(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    const ready = writer.ready(8);
    expect(await settled(ready)).toBe(false);
    held[0].release();
    await ready;
    writer.u8(1);
    await writer.ready(8);
    const more = writer.ready(64 * KiB);
    writer.release();
    await expect(more).rejects.toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    const signal = AbortSignal.abort(new Error('enough'));
    const other = new ByteWriter(small);
    other.reserve(1);
    other.advance(1);
    await expect(other.ready(64 * KiB, { signal })).rejects.toThrow('enough');
    other.release();
    held[1].release();
    small.assertNoLeaks();
    small.close();
  });
});
