import { invalidArg } from '../../errors.js';
import { SegmentChain } from './segment-chain.js';

/** Bytes that {@link FieldWriter.varint} takes at most. */
const LONGEST_VARINT = 8;

/**
 * Numbers. One that its type does not hold is an `ERR_SLABPOOL_INVALID_ARG`: nothing wraps. All of them throw what `reserve()` throws.
 */
export abstract class FieldWriter extends SegmentChain {
  /** An unsigned integer of 8 bits. */
  u8(value: number): void {
    if (typeof value !== 'number' || value !== (value & 0xff)) this.wrong('u8', 'an integer from 0 to 255', value);
    const at = this.position < this.limit ? this.position : this.room(1);
    this.bytes[at] = value;
    this.position = at + 1;
  }

  /** A signed integer of 8 bits. */
  i8(value: number): void {
    if (typeof value !== 'number' || value !== (value << 24) >> 24)
      this.wrong('i8', 'an integer from -128 to 127', value);
    const at = this.position < this.limit ? this.position : this.room(1);
    this.bytes[at] = value;
    this.position = at + 1;
  }

  /** An unsigned integer of 16 bits, the least significant byte first. */
  u16le(value: number): void {
    if (typeof value !== 'number' || value !== (value & 0xffff))
      this.wrong('u16le', 'an integer from 0 to 65535', value);
    this.#put16le(value);
  }

  /** An unsigned integer of 16 bits, the most significant byte first. */
  u16be(value: number): void {
    if (typeof value !== 'number' || value !== (value & 0xffff))
      this.wrong('u16be', 'an integer from 0 to 65535', value);
    this.#put16be(value);
  }

  /** A signed integer of 16 bits, the least significant byte first. */
  i16le(value: number): void {
    if (typeof value !== 'number' || value !== (value << 16) >> 16)
      this.wrong('i16le', 'an integer from -32768 to 32767', value);
    this.#put16le(value);
  }

  /** A signed integer of 16 bits, the most significant byte first. */
  i16be(value: number): void {
    if (typeof value !== 'number' || value !== (value << 16) >> 16)
      this.wrong('i16be', 'an integer from -32768 to 32767', value);
    this.#put16be(value);
  }

  /** An unsigned integer of 32 bits, the least significant byte first. */
  u32le(value: number): void {
    if (typeof value !== 'number' || value !== value >>> 0) this.wrong('u32le', 'an integer from 0 to 2^32 - 1', value);
    this.#put32le(value);
  }

  /** An unsigned integer of 32 bits, the most significant byte first. */
  u32be(value: number): void {
    if (typeof value !== 'number' || value !== value >>> 0) this.wrong('u32be', 'an integer from 0 to 2^32 - 1', value);
    this.#put32be(value);
  }

  /** A signed integer of 32 bits, the least significant byte first. */
  i32le(value: number): void {
    if (typeof value !== 'number' || value !== (value | 0))
      this.wrong('i32le', 'an integer from -2^31 to 2^31 - 1', value);
    this.#put32le(value);
  }

  /** A signed integer of 32 bits, the most significant byte first. */
  i32be(value: number): void {
    if (typeof value !== 'number' || value !== (value | 0))
      this.wrong('i32be', 'an integer from -2^31 to 2^31 - 1', value);
    this.#put32be(value);
  }

  /** An unsigned integer of 64 bits, a bigint, the least significant byte first. */
  u64le(value: bigint): void {
    this.#check64('u64le', value, false);
    const at = this.#room(8);
    this.view.setBigUint64(at, value, true);
    this.position = at + 8;
  }

  /** An unsigned integer of 64 bits, a bigint, the most significant byte first. */
  u64be(value: bigint): void {
    this.#check64('u64be', value, false);
    const at = this.#room(8);
    this.view.setBigUint64(at, value);
    this.position = at + 8;
  }

  /** A signed integer of 64 bits, a bigint, the least significant byte first. */
  i64le(value: bigint): void {
    this.#check64('i64le', value, true);
    const at = this.#room(8);
    this.view.setBigInt64(at, value, true);
    this.position = at + 8;
  }

  /** A signed integer of 64 bits, a bigint, the most significant byte first. */
  i64be(value: bigint): void {
    this.#check64('i64be', value, true);
    const at = this.#room(8);
    this.view.setBigInt64(at, value);
    this.position = at + 8;
  }

  /** The nearest number of 32 bits, the least significant byte first. */
  f32le(value: number): void {
    if (typeof value !== 'number') this.wrong('f32le', 'a number', value);
    const at = this.#room(4);
    this.view.setFloat32(at, value, true);
    this.position = at + 4;
  }

  /** The nearest number of 32 bits, the most significant byte first. */
  f32be(value: number): void {
    if (typeof value !== 'number') this.wrong('f32be', 'a number', value);
    const at = this.#room(4);
    this.view.setFloat32(at, value);
    this.position = at + 4;
  }

  /** A number of 64 bits, the least significant byte first. */
  f64le(value: number): void {
    if (typeof value !== 'number') this.wrong('f64le', 'a number', value);
    const at = this.#room(8);
    this.view.setFloat64(at, value, true);
    this.position = at + 8;
  }

  /** A number of 64 bits, the most significant byte first. */
  f64be(value: number): void {
    if (typeof value !== 'number') this.wrong('f64be', 'a number', value);
    const at = this.#room(8);
    this.view.setFloat64(at, value);
    this.position = at + 8;
  }

  /**
   * LEB128, as in protobuf: seven bits a byte, the least significant ones first.
   * @param value an integer from 0 to 2^53 - 1
   */
  varint(value: number): void {
    if (typeof value === 'number' && value === (value & 0x7f) && this.position < this.limit) {
      this.bytes[this.position++] = value;
      return;
    }
    if (!Number.isSafeInteger(value) || value < 0) this.wrong('varint', 'an integer from 0 to 2^53 - 1', value);
    const low = value % 128;
    this.#leb128(low, (value - low) / 128);
  }

  /**
   * LEB128 of 0, -1, 1, -2, ... as 0, 1, 2, 3, ...: short where the magnitude is small.
   * @param value an integer from -(2^53 - 1) to 2^53 - 1
   */
  zigzag(value: number): void {
    if (!Number.isSafeInteger(value)) this.wrong('zigzag', 'an integer from -(2^53 - 1) to 2^53 - 1', value);
    const magnitude = value < 0 ? -1 - value : value;
    const low = magnitude % 64;
    this.#leb128(2 * low + (value < 0 ? 1 : 0), (magnitude - low) / 64);
  }

  /** @param low the lowest seven bits @param high the others */
  #leb128(low: number, high: number): void {
    let at = this.position;
    if (this.limit - at < LONGEST_VARINT) {
      let length = 1;
      for (let rest = high; rest >= 1; rest /= 128) length++;
      at = this.reserve(length);
    }
    const { bytes } = this;
    let rest = high;
    let byte = low;
    while (rest > 0) {
      bytes[at++] = byte | 0x80;
      byte = rest % 128;
      rest = (rest - byte) / 128;
    }
    bytes[at++] = byte;
    this.position = at;
  }

  #room(n: number): number {
    const at = this.position;
    return n <= this.limit - at ? at : this.room(n);
  }

  #put16le(value: number): void {
    const at = this.#room(2);
    this.view.setUint16(at, value, true);
    this.position = at + 2;
  }

  #put16be(value: number): void {
    const at = this.#room(2);
    this.view.setUint16(at, value);
    this.position = at + 2;
  }

  #put32le(value: number): void {
    const at = this.#room(4);
    this.view.setUint32(at, value, true);
    this.position = at + 4;
  }

  #put32be(value: number): void {
    const at = this.#room(4);
    this.view.setUint32(at, value);
    this.position = at + 4;
  }

  #check64(method: string, value: bigint, signed: boolean): void {
    if (typeof value === 'bigint' && value === (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value))) return;
    this.wrong(method, signed ? 'a bigint from -2^63 to 2^63 - 1' : 'a bigint from 0 to 2^64 - 1', value);
  }

  /** @throws what is wrong with the writer, or `ERR_SLABPOOL_INVALID_ARG` */
  protected wrong(method: string, expected: string, value: unknown): never {
    this.check(method);
    throw invalidArg(`${method}(value)`, expected, value, this.pool.name);
  }
}
