// Pieces of `npm run bench -- io`: what is written, by the ways that people write it.
import { BufferList } from 'bl';
import { Packr } from 'msgpackr';
import { BufferPool } from 'slabpool';
import { ByteWriter, msgpackrEncoder } from 'slabpool/io';
import { SmartBuffer } from 'smart-buffer';

const RECORDS = 1000;
const SEGMENT = 64 * 1024;
const LONGEST = 64;

const records = Array.from({ length: RECORDS }, (_, i) => ({
  id: (i * 2_654_435_761) >>> 0,
  kind: i & 0xff,
  flags: (i * 31) & 0xffff,
  at: 1.7e12 + i * 1000.25,
  name: `sensor-${(i * 7919) % 1000}`,
}));

/** A record as a Buffer of its own. @param {typeof records[number]} record */
function fresh({ id, kind, flags, at, name }) {
  const bytes = Buffer.allocUnsafe(16 + name.length);
  bytes.writeUInt32LE(id, 0);
  bytes[4] = kind;
  bytes.writeUInt16LE(flags, 5);
  bytes.writeDoubleLE(at, 7);
  bytes[15] = name.length;
  bytes.write(name, 16);
  return bytes;
}

/** Writes all records by hand, and returns where they end. @param {Buffer} bytes @param {number} from @param {typeof records[number]} record */
function byHand(bytes, from, { id, kind, flags, at, name }) {
  bytes[from] = id;
  bytes[from + 1] = id >>> 8;
  bytes[from + 2] = id >>> 16;
  bytes[from + 3] = id >>> 24;
  bytes[from + 4] = kind;
  bytes[from + 5] = flags;
  bytes[from + 6] = flags >>> 8;
  bytes.writeDoubleLE(at, from + 7);
  const { length } = name;
  bytes[from + 15] = length;
  const to = from + 16;
  for (let i = 0; i < length; i++) bytes[to + i] = name.charCodeAt(i);
  return to + length;
}

/** The records as bytes, to compare with. */
export const EXPECTED = Buffer.concat(records.map(fresh));

/**
 * @typedef {object} WriterCase
 * @property {string} name
 * @property {number} bytes that one operation writes
 * @property {(operations: number) => unknown} run
 * @property {() => Buffer} once what one operation has written, to be checked
 * @property {() => void} [close]
 */

/** A thousand small records, each time from the beginning. @returns {WriterCase[]} the first is the writer */
export function smallRecords() {
  const pool = new BufferPool();
  const writer = new ByteWriter(pool, { segment: SEGMENT });
  const fixed = Buffer.allocUnsafeSlow(SEGMENT);
  const smart = SmartBuffer.fromSize(SEGMENT);
  let fixedEnd = 0;

  const write = () => {
    writer.reset();
    for (const { id, kind, flags, at, name } of records) {
      writer.u32le(id);
      writer.u8(kind);
      writer.u16le(flags);
      writer.f64le(at);
      writer.u8(name.length);
      writer.utf8(name);
    }
  };
  const leases = (/** @type {boolean} */ copied) => {
    const full = [];
    let lease = pool.acquire(SEGMENT);
    let { bytes } = lease;
    let position = 0;
    for (const record of records) {
      if (position + LONGEST > bytes.length) {
        full.push({ lease, position });
        lease = pool.acquire(SEGMENT);
        bytes = lease.bytes;
        position = 0;
      }
      position = byHand(bytes, position, record);
    }
    full.push({ lease, position });
    const copy = copied ? Buffer.concat(full.map((one) => one.lease.bytes.subarray(0, one.position))) : fixed;
    for (const one of full) one.lease.release();
    return copy;
  };
  const concat = () => Buffer.concat(records.map(fresh));
  const list = () => {
    const all = new BufferList();
    for (const record of records) all.append(fresh(record));
    return all.slice();
  };
  const smartly = () => {
    smart.clear();
    for (const { id, kind, flags, at, name } of records) {
      smart.writeUInt32LE(id);
      smart.writeUInt8(kind);
      smart.writeUInt16LE(flags);
      smart.writeDoubleLE(at);
      smart.writeUInt8(name.length);
      smart.writeString(name);
    }
  };
  const statically = () => {
    let position = 0;
    for (const record of records) position = byHand(fixed, position, record);
    fixedEnd = position;
  };

  return [
    {
      ...repeated('ByteWriter', write),
      once() {
        write();
        return writer.copy();
      },
      close() {
        writer.release();
        pool.close();
      },
    },
    { ...repeated('by hand on leases', () => leases(false)), once: () => leases(true) },
    {
      ...repeated('one static buffer', statically),
      once() {
        statically();
        return Buffer.from(fixed.subarray(0, fixedEnd));
      },
    },
    {
      ...repeated('smart-buffer, reused', smartly),
      once() {
        smartly();
        return smart.toBuffer();
      },
    },
    { ...repeated('Buffer.concat', concat), once: concat },
    { ...repeated('bl', list), once: list },
  ];
}

/** Lines of a log. */
const entries = records.map(({ id, at, name }) => ({ id, at, name, text: `request ${id} to ${name} `.repeat(8) }));

/** `msgpackr`, a thousand records: into a writer, and by `pack()`. @returns {WriterCase[]} */
export function packedRecords() {
  const pool = new BufferPool();
  const writer = new ByteWriter(pool, { segment: SEGMENT });
  const encoder = msgpackrEncoder(new Packr({ useRecords: false }));
  const plain = new Packr({ useRecords: false });
  const write = () => {
    writer.reset();
    for (const record of entries) encoder.encode(writer, record);
  };
  const concat = () => Buffer.concat(entries.map((entry) => plain.pack(entry)));
  const bytes = concat().length;
  return [
    {
      ...repeated('msgpackr into ByteWriter', write, bytes),
      once() {
        write();
        return writer.copy();
      },
      close() {
        writer.release();
        pool.close();
      },
    },
    { ...repeated('pack() and Buffer.concat', concat, bytes), once: concat },
  ];
}

/** @param {string} name @param {() => unknown} one @param {number} [bytes] */
function repeated(name, one, bytes = EXPECTED.length) {
  return {
    name,
    bytes,
    run(/** @type {number} */ operations) {
      for (let i = 0; i < operations; i++) one();
    },
  };
}
