import type { Bytes } from '../../base/runtime.js';
import { SlabPoolError } from '../../errors.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { ByteWindow } from '../byte-window.js';
import { isRefused } from '../refusals.js';

/**
 * What a connection has received and its receiver has not consumed.
 *
 * What       Bytes that have just come lie in a buffer that all connections share, or in Node's own; those of a frame that is not
 *            whole in a lease.
 * Callers    `Receiver.data()`, while it runs; else its connection.
 * Ownership  Fields are good until `data()` returns, and until the next call.
 */
export class ReceivedBytes extends ByteWindow {
  /** The most that {@link read} may ask for. */
  readonly maxLength: number;
  /**
   * As many bytes are to be there before the receiver is called again; 0: it did not say.
   * @internal
   */
  needed = 0;
  /**
   * The error with which the pool had no lease for {@link take}, and the bytes of that lease.
   * @internal
   */
  refusal: { readonly error: unknown; readonly bytes: number } | null = null;
  /** Was waited for. */
  #reserved: Lease | null = null;

  constructor(pool: BufferPool, maxLength: number) {
    super(pool);
    this.maxLength = maxLength;
  }

  /**
   * Whether at least so many bytes are there. If not, return from `data()`: it is called again when they are, or when the input has
   * ended, and `ended` is true.
   * @param atLeast an integer from 0 (bytes), counted from `start`; default: one more than there are
   * @throws `ERR_SLABPOOL_TOO_LONG` for more than `maxLength`, `ERR_SLABPOOL_INVALID_ARG`
   */
  read(atLeast: number = this.end - this.start + 1): boolean {
    // Too long is too long, however the input was cut.
    const { maxLength } = this;
    if (this.end - this.start >= atLeast && atLeast <= maxLength) return true;
    this.checkRead(atLeast);
    if (atLeast > maxLength) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_TOO_LONG',
        `a record of ${atLeast} bytes or more at offset ${this.position} is longer than maxLength, ${maxLength}: the other side sends ` +
          'something else, or maxLength has to be larger',
        {
          pool: this.pool.name,
          details: { offset: this.position, lengthBytes: atLeast, maxLengthBytes: maxLength },
        },
      );
    }
    this.needed = atLeast;
    return false;
  }

  /**
   * Bytes that come next, where there are none.
   * @internal
   */
  borrow(bytes: Bytes, start: number, end: number): void {
    this.lend(bytes, end, start);
  }

  /**
   * Bytes that come next are copied behind those that are there, into the same lease.
   * @returns how many found room
   * @internal
   */
  fill(bytes: Bytes, start: number, end: number): number {
    const room = Math.min(this.bytes.length - this.end, end - start);
    bytes.copy(this.bytes, this.end, start, start + room);
    this.end += room;
    return room;
  }

  /**
   * What is left moves to a lease of its own with room for what is {@link needed}, unless it lies in such a one.
   * @throws as `acquire()`; nothing has moved then, and there is a {@link refusal} if the lease can be waited for
   * @internal
   */
  keep(): void {
    const { held, start, needed } = this;
    if (held - start >= needed) return;
    // What grows without saying how far doubles.
    this.move(this.leaseFor(held > 0 && start === 0 ? Math.max(needed, Math.min(2 * held, this.maxLength)) : needed));
  }

  /**
   * What is there, with `bytes` behind it, in memory of no pool, so that nothing is held while a lease is waited for.
   * @internal
   */
  save(bytes: Bytes, start: number, end: number): void {
    const saved = Buffer.allocUnsafeSlow(this.length + end - start);
    this.bytes.copy(saved, 0, this.start, this.end);
    bytes.copy(saved, this.length, start, end);
    this.release();
    this.lend(saved, saved.length);
  }

  /**
   * There are no bytes any more.
   * @internal
   */
  override drop(): void {
    super.drop();
  }

  /**
   * Everything that is held goes back.
   * @internal
   */
  release(): void {
    super.drop();
    this.reserve(null);
  }

  /**
   * A lease that was waited for, for what is taken or kept next; null: goes back if it was not needed.
   * @internal
   */
  reserve(lease: Lease | null): void {
    this.#reserved?.[Symbol.dispose]();
    this.#reserved = lease;
  }

  /**
   * Memory for the rest of a frame, to read straight into; undefined where a copy costs less.
   * @internal
   */
  rest(least: number): Bytes | undefined {
    const missing = this.needed - this.end + this.start;
    if (missing < least || this.held === 0) return undefined;
    return this.bytes.subarray(this.end, this.end + missing);
  }

  protected override leaseFor(size: number): Lease {
    const reserved = this.#reserved;
    if (reserved !== null && reserved.size >= size) {
      this.#reserved = null;
      return reserved;
    }
    try {
      return this.pool.acquire(size);
    } catch (error) {
      if (isRefused(error)) this.refusal = { error, bytes: size };
      throw error;
    }
  }
}
