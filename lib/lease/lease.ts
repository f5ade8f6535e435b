import type { Bytes } from '../base/runtime.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { EndedLease } from './ended-lease.js';
import type { Block, MagazineOwner } from './magazine.js';

/**
 * A lease is the right to use one buffer until it is released. Each acquire makes a fresh lease, so that a second release is noticed
 * for certain, also when the buffer has a new owner by then; the buffer itself is reused.
 *
 * An asynchronous operation (`socket.write`, `fs.write`, zlib) uses the buffer until its callback: release after that.
 */
export class Lease {
  /** Bytes that were asked for, which are those that {@link view} has. */
  readonly size: number;
  /** Null once the lease has ended; if it was tracked, what tells where. */
  #block: Block | EndedLease | null;

  /** @internal */
  constructor(block: Block, size: number) {
    this.#block = block;
    this.size = size;
  }

  /**
   * Whether the lease has ended: released, or handed over.
   * @throws `ERR_SLABPOOL_INVALID_THIS`; nothing else, whatever has become of the lease
   */
  get released(): boolean {
    const block = Lease.#of(this, 'released');
    return block === null || block instanceof EndedLease;
  }

  /**
   * A Buffer over all `capacity` bytes; the same object whenever this block is leased.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  // The two getters are kept below 28 bytes of bytecode: V8 inlines such small functions always, but larger getters last,
  // when the caller's inlining budget may be used up.
  get bytes(): Bytes {
    return (this.#block ?? released()).bytes;
  }

  /**
   * The ArrayBuffer, of exactly `capacity` bytes: no other block is reachable through it.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`
   */
  get buffer(): ArrayBuffer {
    return (this.#block ?? released()).buffer;
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
    const block = Lease.#of(this, 'view()') ?? released();
    return block.bytes.subarray(0, this.size);
  }

  /**
   * Gives the buffer back, also when the pool was closed meanwhile.
   * @throws `ERR_SLABPOOL_LEASE_RELEASED` the second time, `ERR_SLABPOOL_INVALID_THIS`
   */
  release(): void {
    // Both comparisons strict: a loose one makes the lease escape, and V8 create it, where it would leave it out.
    if (this === undefined || this === null || !(#block in this)) lost('release()');
    const block = this.#block ?? released();
    const { magazine } = block;
    this.#block = null;
    const ended = magazine.put(block as Block);
    if (ended !== null) this.#block = ended;
  }

  /**
   * Another lease of the same buffer, for another reader, such as the sockets of a broadcast: the buffer goes back when
   * the last of them is released. Each is released once, like any lease. While there are several, none can be handed
   * over or reclaimed. (Netty's `retain()`, with a release that is checked for each.)
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_THIS`
   */
  retain(): Lease {
    const block = Lease.#of(this, 'retain()') ?? released();
    const shared = block.magazine.owner.retain(block as Block);
    this.#block = shared;
    return new Lease(shared, this.size);
  }

  /**
   * Adds to the record of this lease if it is tracked: how far the program came with it, for `trackedLeases()` and the
   * reports of leaks. The latest 8 are kept. (Netty's `touch()`.)
   * @param hint any text; default: `''`
   * @throws `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_INVALID_THIS`
   */
  touch(hint = ''): void {
    const block = Lease.#of(this, 'touch()') ?? released();
    const { owner } = block.magazine;
    if (typeof hint !== 'string') throw invalidArg('touch(hint)', 'a string', hint, owner.name);
    owner.touch(block as Block, hint);
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
    const block = Lease.#of(this, 'reclaim()') ?? released();
    const { owner } = block.magazine;
    this.#block = owner.reclaim(block as Block, memory);
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
    if (this === undefined || this === null || !(#block in this)) lost('[Symbol.dispose]()');
    const block = this.#block;
    if (block === null || block instanceof EndedLease) return;
    this.#block = null;
    const ended = block.magazine.put(block);
    if (ended !== null) this.#block = ended;
  }

  /** What `self`, on which `member` was called, has of its block. */
  static #of(self: Lease, member: string): Block | EndedLease | null {
    if (typeof self !== 'object' || self === null || !(#block in self)) lost(member);
    return self.#block;
  }

  /**
   * {@link transfer}, for a next lease of that `size`, or of the same one.
   * @internal
   */
  static transferOf(lease: Lease, size?: number): number {
    const block = Lease.#of(lease, 'transfer()') ?? released();
    const { transfers } = block.magazine.owner;
    const ticket = transfers.transfer(block as Block, size ?? lease.size);
    lease.#block = transfers.left(block as Block);
    return ticket;
  }

  /**
   * Ends a lease of `owner`: its block, which the caller now has to put back.
   * @internal
   */
  static end(lease: Lease, owner: MagazineOwner): Block {
    const block = Lease.blockOf(lease, owner);
    lease.#block = null;
    return block;
  }

  /**
   * After {@link end}, which it undoes; or what is left of the lease, as {@link Magazine.put} and {@link MagazineOwner.transfers} tell.
   * @internal
   */
  static resume(lease: Lease, block: Block | EndedLease | null): void {
    lease.#block = block;
  }

  /**
   * The block of a lease of `owner` that is not released.
   * @internal
   */
  static blockOf(lease: Lease, owner: MagazineOwner): Block {
    if (typeof lease !== 'object' || lease === null || !(#block in lease)) {
      throw invalidArg('release(lease)', 'a lease that acquire() returned', lease, owner.name);
    }
    const block = lease.#block ?? released();
    if (block.magazine.owner !== owner) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_FOREIGN_LEASE',
        `the lease belongs to pool '${block.magazine.owner.name}'; release it there, or call lease.release()`,
        { pool: owner.name },
      );
    }
    return block as Block;
  }
}

/** `this` is no lease, so nothing was done to any: whoever has it can still release it. */
function lost(member: string): never {
  throw new SlabPoolError(
    'ERR_SLABPOOL_INVALID_THIS',
    `lease.${member} was called on something that is no lease; the lease is still out. A method that is passed as a callback loses its lease: pass ` +
      `() => lease.${member}. Of a lease behind a Proxy, call it on the lease itself`,
  );
}

function released(): never {
  throw new SlabPoolError(
    'ERR_SLABPOOL_LEASE_RELEASED',
    'this lease was released before; its buffer may belong to somebody else by now. Release each lease once, and use ' +
      'nothing of it afterwards',
  );
}
