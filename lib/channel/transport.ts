import { type Channels, CLASSES, MAX_BATCH, SIZES } from '../core/core.js';
import { internal, invalidArg, SlabPoolError } from '../errors.js';
import type { Heap } from '../heap/heap.js';
import { Lease } from '../lease/lease.js';
import type { Block } from '../lease/magazine.js';
import type { Endpoint } from './endpoint.js';
import { ReceivedLease } from './received-lease.js';

/** The core's answers: -1 - `Result`. */
const WOULD_BLOCK = -2;
const CLOSED = -3;
const ALONE = -4;

/** Leases to be sent, in their order. */
export interface Several {
  readonly leases: readonly Lease[];
  /** One for each; the lease's size unless given. */
  readonly lengths: readonly number[] | undefined;
}

/**
 * A transport moves leases from this thread into a channel, and out of it.
 *
 * What       One try each: a message is put together or taken apart in `exchange`, and a full or empty channel is told
 *            from one that is closed or left by all others. Waiting is the endpoint's.
 * Callers    `Channel`. One thread.
 * Ownership  A lease has ended once its block is in the channel; where it does not get there, the lease is as before.
 */
export class Transport {
  readonly #heap: Heap;
  readonly #endpoint: Endpoint;
  /** Carries messages to the core and back: blocks with their classes and lengths. */
  readonly #exchange: Uint32Array;
  /** The tags of the messages, at the same index as their blocks. */
  readonly #tags: Float64Array;
  /** Why messages of the last {@link receiveMany} could not be received, of which others could. */
  #failure: { readonly error: unknown } | null = null;

  constructor(heap: Heap, endpoint: Endpoint) {
    this.#heap = heap;
    this.#endpoint = endpoint;
    this.#exchange = heap.core.exchange;
    this.#tags = (heap.core.channels as Channels).tags;
  }

  /** Hands a lease over; false when there is no room. */
  send(lease: Lease, length: number | undefined, tag: number): boolean {
    this.#endpoint.assertOpen();
    const block = Lease.blockOf(lease, this.#heap);
    const moved = this.#heap.transfers.movable(block);
    this.#put(0, moved, this.#checked(length, lease, moved), tag);
    const blocked = this.#endpoint.channel.trySend();
    if (blocked < 0) {
      if (blocked !== WOULD_BLOCK) this.#refuse('trySend', blocked);
      return false;
    }
    Lease.end(lease, this.#heap.transfers.left(block));
    this.#endpoint.wake(blocked);
    return true;
  }

  /** Hands over those from index `from` on, as far as there is room: how many. */
  sendMany({ leases, lengths }: Several, from: number): number {
    this.#endpoint.assertOpen();
    const heap = this.#heap;
    const blocks: Block[] = [];
    const moved: Block[] = [];
    const used: number[] = [];
    let sent = 0;
    try {
      for (let i = from; i < leases.length; i++) {
        const lease = leases[i] as Lease;
        const leased = Lease.blockOf(lease, heap);
        const block = heap.transfers.movable(leased);
        used.push(this.#checked(lengths?.[i], lease, block));
        moved.push(block);
        blocks.push(leased);
        Lease.end(lease, null); // one that is there twice is noticed
      }
      while (sent < blocks.length) {
        const count = Math.min(MAX_BATCH, blocks.length - sent);
        for (let i = 0; i < count; i++) {
          this.#put(i, moved[sent + i] as Block, used[sent + i] as number, 0);
        }
        const result = this.#endpoint.channel.trySendMany(count);
        // After some have gone, the next call says why no more have.
        if (result < 0 && result !== WOULD_BLOCK && sent === 0) this.#refuse('trySendMany', result);
        if (result <= 0) break;
        sent += result;
        for (let i = 0; i < result; i++) this.#endpoint.wake(this.#exchange[CLASSES + i] as number);
        if (result < count) break;
      }
    } finally {
      for (const [i, block] of blocks.entries()) {
        const lease = leases[from + i] as Lease;
        if (i < sent) Lease.end(lease, heap.transfers.left(block));
        else Lease.resume(lease, block);
      }
    }
    return sent;
  }

  /** How many bytes of the lease are sent. @throws `ERR_SLABPOOL_INVALID_ARG` */
  #checked(length: number | undefined, lease: Lease, { capacity }: Block): number {
    if (length === undefined) return lease.size;
    if (typeof length === 'number' && length >>> 0 === length && length <= capacity) return length;
    const expected = `an integer of 0 to ${capacity} (bytes, at most the capacity of the lease)`;
    throw invalidArg('send(lease, length, tag), length', expected, length, this.#heap.name);
  }

  /** The block of a lease is number `at` of those that are to leave this thread. */
  #put(at: number, { index, magazine }: Block, length: number, tag: number): void {
    const exchange = this.#exchange;
    exchange[at] = index;
    exchange[CLASSES + at] = magazine.sizeClass;
    exchange[SIZES + at] = length;
    this.#tags[at] = tag;
  }

  /**
   * The next lease; undefined when there is none now, null when there never will be.
   * @param arrived whether the core has taken it
   */
  receive(arrived = false): ReceivedLease | null | undefined {
    if (arrived) return this.#arrived(0);
    this.#endpoint.assertOpen();
    this.#fail();
    const result = this.#endpoint.channel.tryReceive();
    if (result === 0) return this.#arrived(0);
    if (result === WOULD_BLOCK) return undefined;
    return result === CLOSED ? null : this.#refuse('tryReceive', result);
  }

  #arrived(at: number): ReceivedLease {
    const length = this.#exchange[SIZES + at] as number;
    return new ReceivedLease(this.#heap.transfers.received(at), length, this.#tags[at] as number);
  }

  /**
   * Up to `most` that are there now. Null when there never will be any more. If a block among them cannot be mapped, the next call says why.
   * @param arrived whether the core has taken the first one
   */
  receiveMany(most: number, arrived = false): ReceivedLease[] | null {
    this.#endpoint.assertOpen();
    if (!arrived) this.#fail();
    const leases = arrived ? [this.#arrived(0)] : [];
    while (leases.length < most) {
      const wanted = Math.min(MAX_BATCH, most - leases.length);
      const count = this.#endpoint.channel.tryReceiveMany(wanted);
      if (count < 0 && leases.length === 0) {
        if (count === CLOSED) return null;
        if (count !== WOULD_BLOCK) this.#refuse('tryReceiveMany', count);
      }
      this.#arrivedMany(count, leases);
      if (count < wanted || this.#failure !== null) break;
    }
    if (leases.length === 0) this.#fail();
    return leases;
  }

  /** All that the core has taken are this thread's now, so those that can be received are, whatever became of others. */
  #arrivedMany(count: number, leases: ReceivedLease[]): void {
    let at = 0;
    while (at < count) {
      try {
        while (at < count) leases.push(this.#arrived(at++));
      } catch (error) {
        this.#failure ??= { error };
      }
    }
  }

  #fail(): void {
    if (this.#failure === null) return;
    const { error } = this.#failure;
    this.#failure = null;
    throw error;
  }

  /** Throws what a negative answer of the core means. */
  #refuse(call: string, answer: number): never {
    if (answer === CLOSED) throw this.#endpoint.closed();
    if (answer !== ALONE) {
      const [block, sizeClass] = [this.#exchange[0] as number, this.#exchange[CLASSES] as number];
      throw internal(call, answer, { endpoint: this.#endpoint.channel.endpoint, block, sizeClass }, this.#heap.name);
    }
    // Waiting for somebody who is no more would last for ever.
    throw new SlabPoolError('ERR_SLABPOOL_PEER_GONE', 'every other thread that had the channel has left it, or died', {
      pool: this.#heap.name,
    });
  }
}
