import avro from 'avsc';
import { Encoder as CborEncoder, decode as fromCbor } from 'cbor-x';
import { Packr, pack, unpack, unpackMultiple } from 'msgpackr';
import protobuf from 'protobufjs';
import { BufferPool } from 'slabpool';
import { ByteWriter, type Encoder, msgpackrEncoder } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';

interface City {
  name: string;
  lat: number;
  population: number;
}

const cities: City[] = Array.from({ length: 500 }, (_, i) => ({
  name: `${'Zürich 水 '.repeat(i % 7)}${i}`,
  lat: i / 7,
  population: i * 1009,
}));

/** `avsc` writes where it is told, and says how many bytes it lacks. */
function avscEncoder<T>(type: avro.Type): Encoder<T> {
  return {
    encode(writer, value) {
      const end = type.encode(value, writer.bytes, writer.position);
      // Below 0: so many bytes are missing. `limit` may be less than the segment, by `maxBytes`.
      if (end >= 0 && end <= writer.limit) {
        writer.position = end;
        return;
      }
      const missing = end < 0 ? -end : 0;
      const at = writer.reserve(writer.bytes.length - writer.position + missing);
      writer.position = type.encode(value, writer.bytes, at);
    },
  };
}

/** `protobufjs` knows the length of a message before it writes it: `finish()` into a writer of its own, copied. */
function protobufEncoder<T extends object>(type: protobuf.Type): Encoder<T> {
  return {
    encode: (writer, value) => writer.write(type.encodeDelimited(value).finish()),
  };
}

/** `cbor-x` goes on behind what it has written, until it is given another buffer, and others write there as well. */
function encodeCbor(given: CborEncoder, writer: ByteWriter, values: readonly unknown[]): void {
  // Its types do not know useBuffer().
  const encoder = given as CborEncoder & { useBuffer(buffer: Uint8Array): void };
  try {
    for (const value of values) {
      const at = writer.reserve(4 * KiB);
      const room = writer.bytes.subarray(at, writer.limit);
      encoder.useBuffer(room);
      const encoded = encoder.encode(value);
      // What outgrows the room lies in a buffer of its own.
      if (encoded.buffer === room.buffer) writer.advance(encoded.length);
      else writer.write(encoded);
    }
  } finally {
    encoder.useBuffer(Buffer.allocUnsafeSlow(8 * KiB));
  }
}

describe.each(BACKENDS)('encoders of others, into a writer, on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'encoders', backend, maxBytes: 4 * MiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  describe.each([1, 4, 64])('segments of %i KiB', (kib) => {
    const segment = kib * KiB;

    test('msgpackr', () => {
      using writer = new ByteWriter(pool, { segment });
      const encoder = msgpackrEncoder<unknown>(new Packr({ useRecords: false }));
      const values = [...cities, 'x'.repeat(100_000), { bytes: Buffer.alloc(3000, 7) }, 1, null];
      for (const value of values) encoder.encode(writer, value);
      expect(
        writer.copy().equals(Buffer.concat(values.map((value) => new Packr({ useRecords: false }).pack(value)))),
      ).toBe(true);
      expect(unpackMultiple(writer.contiguous()).length).toBe(values.length);
    });

    test('avsc', () => {
      const type = avro.Type.forSchema({
        type: 'record',
        name: 'City',
        fields: [
          { name: 'name', type: 'string' },
          { name: 'lat', type: 'double' },
          { name: 'population', type: 'int' },
        ],
      });
      using writer = new ByteWriter(pool, { segment });
      const encoder = avscEncoder<City>(type);
      for (const city of cities) encoder.encode(writer, city);
      expect(writer.copy().equals(Buffer.concat(cities.map((city) => type.toBuffer(city))))).toBe(true);
    });

    test('protobufjs', () => {
      const type = new protobuf.Type('City')
        .add(new protobuf.Field('name', 1, 'string'))
        .add(new protobuf.Field('lat', 2, 'double'))
        .add(new protobuf.Field('population', 3, 'uint32'));
      using writer = new ByteWriter(pool, { segment });
      const encoder = protobufEncoder<City>(type);
      for (const city of cities) encoder.encode(writer, city);
      const reader = protobuf.Reader.create(writer.contiguous());
      for (const city of cities) expect(type.toObject(type.decodeDelimited(reader))).toEqual(city);
      expect(reader.pos).toBe(reader.len);
    });

    test('cbor-x', () => {
      using writer = new ByteWriter(pool, { segment });
      const encoder = new CborEncoder({ useRecords: false });
      encodeCbor(encoder, writer, [...cities, 'x'.repeat(100_000)]);
      const seen: unknown[] = [];
      new CborEncoder({ useRecords: false }).decodeMultiple(writer.copy(), (value) => void seen.push(value));
      expect(seen).toEqual([...cities, 'x'.repeat(100_000)]);
    });
  });

  test("msgpackr: a stranger's pack() writes neither into the writer's memory nor over what it gave out", () => {
    const encoder = msgpackrEncoder<unknown>(new Packr());
    const writer = new ByteWriter(pool);
    const strangers: [unknown, Buffer][] = [];
    for (let i = 0; i < 50; i++) {
      encoder.encode(writer, { i });
      const before = writer.copy();
      strangers.push([{ stranger: i }, pack({ stranger: i })]);
      expect(writer.copy().equals(before)).toBe(true);
    }
    const { buffer } = writer.bytes;
    writer.release();
    strangers.push(['behind', pack('behind')]);
    for (const [value, bytes] of strangers) {
      expect(bytes.buffer).not.toBe(buffer);
      expect(unpack(bytes)).toEqual(value);
    }
  });

  test('msgpackr: a value that cannot be packed, or is too long, leaves the writer as it was', () => {
    const encoder = msgpackrEncoder<unknown>(new Packr({ useRecords: false }));
    using writer = new ByteWriter(pool, { maxBytes: 100 });
    encoder.encode(writer, 'before');
    const broken = {
      get name() {
        throw new Error('broken');
      },
    };
    expect(() => encoder.encode(writer, ['a', broken])).toThrow('broken');
    expect(() => encoder.encode(writer, 'x'.repeat(100))).toThrow(coded('ERR_SLABPOOL_TOO_LONG'));
    expect(() => encoder.encode(writer, 'x'.repeat(100_000))).toThrow(coded('ERR_SLABPOOL_TOO_LONG'));
    encoder.encode(writer, 'behind');
    expect(unpackMultiple(writer.copy())).toEqual(['before', 'behind']);
    expect(pack('x').buffer).not.toBe(writer.bytes.buffer);
    expect(() => msgpackrEncoder({} as Packr)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /a Packr/));
  });

  test('msgpackr: values whose getters encode others, into another writer or into the same one', () => {
    const encoder = msgpackrEncoder<unknown>(new Packr({ useRecords: false }));
    using writer = new ByteWriter(pool);
    using other = new ByteWriter(pool);
    for (const text of ['short', 'long'.repeat(10_000)]) {
      writer.reset();
      other.reset();
      const value = {
        before: 1,
        get inner() {
          encoder.encode(other, { text });
          return pack({ text }).length;
        },
        behind: text,
      };
      for (let i = 0; i < 3; i++) encoder.encode(writer, value);
      const { length } = pack({ text });
      expect(unpackMultiple(writer.copy())).toEqual(Array(3).fill({ before: 1, inner: length, behind: text }));
      expect(unpackMultiple(other.copy())).toEqual(Array(3).fill({ text }));
    }
    const meddling = {
      get inner() {
        encoder.encode(writer, 1);
        return 2;
      },
    };
    expect(() => encoder.encode(writer, meddling)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /leave the writer alone/));
    writer.reset();
    encoder.encode(writer, 'behind');
    expect(unpackMultiple(writer.copy())).toEqual(['behind']);
  });

  test('msgpackr: structured clones, which it puts together in a buffer of its own', () => {
    const packr = new Packr({ useRecords: false, structuredClone: true });
    const encoder = msgpackrEncoder<unknown>(packr);
    using writer = new ByteWriter(pool);
    const shared = { name: 'shared' };
    for (let i = 0; i < 9; i++) {
      writer.u8(0xc0);
      encoder.encode(writer, [shared, { shared }, new Error(`${i}`)]);
    }
    const seen = packr.unpackMultiple(writer.copy()) as [object, { shared: object }, Error][];
    expect(seen.length).toBe(18);
    for (let i = 0; i < 9; i++) {
      expect(seen[2 * i]).toBe(null);
      const [first, second, error] = seen[2 * i + 1];
      expect([second.shared === first, first, error.message]).toEqual([true, shared, `${i}`]);
    }
  });

  test('msgpackr: values that are longer than a segment allocate once, and again only after many that are not', () => {
    const encoder = msgpackrEncoder<unknown>(new Packr({ useRecords: false }));
    using writer = new ByteWriter(pool);
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const allocatedBy = (values: unknown[]) => {
      allocate.mockClear();
      for (const value of values) {
        writer.reset();
        encoder.encode(writer, value);
        expect(unpack(writer.contiguous())).toEqual(value);
      }
      return allocate.mock.calls.length;
    };
    const long = 'x'.repeat(100_000);
    const short = { name: 'short' };
    expect(allocatedBy([short, long])).toBeGreaterThan(0);
    expect(allocatedBy(Array(20).fill([long, short]).flat())).toBe(0);
    expect(allocatedBy(Array(200).fill(short).concat(long))).toBe(0);
    expect(allocatedBy(Array(256).fill(short))).toBe(0);
    expect(allocatedBy([long])).toBeGreaterThan(0);
    // What is longer than what may be kept is not.
    const huge = 'x'.repeat(2 * MiB);
    expect(allocatedBy([huge])).toBeGreaterThan(0);
    expect(allocatedBy([long])).toBeGreaterThan(0);
    allocate.mockRestore();
  });

  test("cbor-x: a stranger's encode() afterwards is not in the writer's memory", () => {
    const encoder = new CborEncoder();
    const writer = new ByteWriter(pool);
    encodeCbor(encoder, writer, [1, 2]);
    const { buffer } = writer.bytes;
    writer.release();
    const bytes = new CborEncoder().encode({ a: 1 });
    expect(bytes.buffer).not.toBe(buffer);
    expect(fromCbor(bytes)).toEqual({ a: 1 });
  });
});
