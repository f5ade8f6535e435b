import type { Bytes } from '../base/runtime.js';
import { invalidArg } from '../errors.js';
import { EndedLease } from './ended-lease.js';
import { Block, type Magazine, type MagazineOwner } from './magazine.js';
import { foreignLease, lostLease, noLease, releasedLease } from './misuse.js';

/**
 * A lease is the right to use one buffer until it is released. Each acquire makes a fresh lease, so that a second release is noticed
 * for certain, also when the buffer has a new owner by then; the buffer itself is reused.
 *
 * An asynchronous operation (`socket.write`, `fs.write`, zlib) uses the buffer until its callback: release after that.
 */
export class Lease {
  /** Bytes that were asked for, which are those that {@link view} has. */
  readonly size: number;
  /** Null once the lease has ended. */
  #bytes: Bytes | null;
  /** Where the block is released to; once a tracked lease has ended, what tells where that was. */
  #magazine: Magazine | EndedLease;
  #index: number;

  /** @internal */
  constructor(bytes: Bytes, magazine: Magazine, index: number, size: number) {
    this.#bytes = bytes;
    this.#magazine = magazine;
    this.#index = index;
    this.size = size;
  }

  /** @internal */
  static over({ bytes, magazine, index }: Block, size: number): Lease {
    return new Lease(bytes, magazine, index, size);
  }

  /**
   * Whether the lease has ended: released, or handed over.
   * @throws `ERR_SLABPOOL_INVALID_THIS`; nothing else, whatever has become of the lease
   */
  get released(): boolean {
    if (typeof this !== 'object' || this === null || !(#bytes in this)) lostLease('released');
    return this.#bytes === null;
  }

  /**
   * A Buffer over all `capacity` bytes; the same object whenever this block is leased.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  // The two getters are kept below 28 bytes of bytecode: V8 inlines such small functions always, but larger getters last,
  // when the caller's inlining budget may be used up.
  get bytes(): Bytes {
    return this.#bytes ?? released(this.#magazine);
  }

  /**
   * The ArrayBuffer, of exactly `capacity` bytes: no other block is reachable through it.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  get buffer(): ArrayBuffer {
    return (this.#bytes ?? released(this.#magazine)).buffer;
  }

  /**
   * Bytes of the tier, at least `size`: the length of {@link bytes}, not of {@link view}. 0 while its ArrayBuffer is
   * detached.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  get capacity(): number {
    return this.bytes.length;
  }

  /**
   * A Buffer over the first `size` bytes. A fresh object each time: keep it off the hot path.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  view(): Bytes {
    return Lease.#of(this, 'view()').bytes.subarray(0, this.size);
  }

  /**
   * Gives the buffer back, also when the pool was closed meanwhile.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, `ERR_SLABPOOL_INVALID_THIS`
   */
  release(): void {
    // Both comparisons strict: a loose one makes the lease escape, and V8 create it, where it would leave it out.
    if (this === undefined || this === null || !(#bytes in this)) lostLease('release()');
    const bytes = this.#bytes ?? released(this.#magazine);
    this.#bytes = null;
    const ended = (this.#magazine as Magazine).put(bytes, this.#index);
    if (ended !== null) this.#magazine = ended;
  }

  /**
   * Another lease of the same buffer, for another reader, such as the sockets of a broadcast: the buffer goes back when
   * the last of them is released. Each is released once, like any lease. While there are several, none can be handed
   * over or reclaimed. (Netty's `retain()`, with a release that is checked for each.)
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  retain(): Lease {
    const block = Lease.#of(this, 'retain()');
    const shared = block.magazine.owner.retain(block);
    Lease.resume(this, shared);
    return Lease.over(shared, this.size);
  }

  /**
   * Adds to the record of this lease if it is tracked: how far the program came with it, for `trackedLeases()` and the
   * reports of leaks. The latest 8 are kept. (Netty's `touch()`.)
   * @param hint any text; default: `''`
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_INVALID_THIS`
   */
  touch(hint = ''): void {
    const block = Lease.#of(this, 'touch()');
    const { owner } = block.magazine;
    if (typeof hint !== 'string') throw invalidArg('touch(hint)', 'a string', hint, owner.name);
    owner.touch(block, hint);
  }

  /**
   * For byte streams: `reader.read(lease.bytes)` moves the lease's memory to a new ArrayBuffer, so that `bytes` has a
   * length of 0, and this takes it back: `lease.reclaim(value)`. The lease then goes on with that ArrayBuffer, and
   * `value` stays what it is. Where nothing comes back (the stream is cancelled, or fails), the memory is lost to the
   * pool when the lease is released.
   *
   * Whether it is the very memory is told by its address on the native core. The TypeScript core, and oversize leases,
   * have its length alone to go by, and that it was no lease's `buffer` before.
   * @param memory the ArrayBuffer over the lease's memory, or a view of it
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_FOREIGN_BUFFER`,
   * `ERR_SLABPOOL_SHARED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  reclaim(memory: ArrayBuffer | ArrayBufferView): void {
    const block = Lease.#of(this, 'reclaim()');
    Lease.resume(this, block.magazine.owner.reclaim(block, memory));
  }

  /**
   * Hands the buffer over: this lease is released, and whoever calls `pool.adopt(ticket)` first, in any thread, has the
   * next one, and sees every byte that was written before. The ticket is a number, so it travels in a message, a
   * SharedArrayBuffer, anywhere; the next lease has the `size` of this one.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_SHARED`, `ERR_SLABPOOL_OVERSIZE`, `ERR_SLABPOOL_DETACHED`,
   * `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  transfer(): number {
    return Lease.transferOf(this);
  }

  /**
   * `using`: releases the lease unless it has ended.
   * @throws `ERR_SLABPOOL_INVALID_THIS`
   */
  [Symbol.dispose](): void {
    if (this === undefined || this === null || !(#bytes in this)) lostLease('[Symbol.dispose]()');
    const bytes = this.#bytes;
    if (bytes === null) return;
    this.#bytes = null;
    const ended = (this.#magazine as Magazine).put(bytes, this.#index);
    if (ended !== null) this.#magazine = ended;
  }

  /** The block of `self`, on which `member` was called. */
  static #of(self: Lease, member: string): Block {
    if (typeof self !== 'object' || self === null || !(#bytes in self)) lostLease(member);
    const bytes = self.#bytes ?? released(self.#magazine);
    return new Block(bytes, self.#index, self.#magazine as Magazine);
  }

  /**
   * {@link transfer}, for a next lease of that `size`, or of the same one.
   * @internal
   */
  static transferOf(lease: Lease, size?: number): number {
    const block = Lease.#of(lease, 'transfer()');
    const { transfers } = block.magazine.owner;
    const ticket = transfers.transfer(block, size ?? lease.size);
    Lease.end(lease, transfers.left(block));
    return ticket;
  }

  /**
   * Ends the lease, whose block the caller has put back or will. `ended` is what it has to remember, as {@link Magazine.put} and
   * {@link MagazineOwner.transfers} tell.
   * @internal
   */
  static end(lease: Lease, ended: EndedLease | null): void {
    lease.#bytes = null;
    if (ended !== null) lease.#magazine = ended;
  }

  /**
   * From now on the lease is over `block`, also after {@link end}.
   * @internal
   */
  static resume(lease: Lease, { bytes, magazine, index }: Block): void {
    lease.#bytes = bytes;
    lease.#magazine = magazine;
    lease.#index = index;
  }

  /**
   * As `lease.release()`, if the lease is one of `owner`.
   * @internal
   */
  static release(lease: Lease, owner: MagazineOwner): void {
    if (typeof lease !== 'object' || lease === null || !(#bytes in lease)) noLease(lease, owner.name);
    const bytes = lease.#bytes ?? released(lease.#magazine);
    const magazine = lease.#magazine as Magazine;
    if (magazine.owner !== owner) foreignLease(magazine.owner.name, owner.name);
    lease.#bytes = null;
    const ended = magazine.put(bytes, lease.#index);
    if (ended !== null) lease.#magazine = ended;
  }

  /**
   * The block of a lease of `owner`, which the caller has to put back: the lease has ended.
   * @internal
   */
  static take(lease: Lease, owner: MagazineOwner): Block {
    const block = Lease.blockOf(lease, owner);
    Lease.end(lease, null);
    return block;
  }

  /**
   * The block of a lease of `owner` that is not released.
   * @internal
   */
  static blockOf(lease: Lease, owner: MagazineOwner): Block {
    if (typeof lease !== 'object' || lease === null || !(#bytes in lease)) noLease(lease, owner.name);
    const bytes = lease.#bytes ?? released(lease.#magazine);
    const magazine = lease.#magazine as Magazine;
    if (magazine.owner !== owner) foreignLease(magazine.owner.name, owner.name);
    return new Block(bytes, lease.#index, magazine);
  }
}

function released(magazine: Magazine | EndedLease): never {
  throw magazine instanceof EndedLease ? magazine.misuse() : releasedLease('buffer');
}
