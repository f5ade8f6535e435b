import { checkOptions } from '../base/check-options.js';
import { now } from '../base/runtime.js';
import { checkWaitOptions, type Limits, type WaitOptions } from '../base/wait-options.js';
import { MAX_BATCH } from '../core/core.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { Heap } from '../heap/heap.js';
import { heapOf } from '../heap/heap-of.js';
import type { Lease } from '../lease/lease.js';
import type { BufferPool } from '../pool.js';
import { type ChannelHandle, readChannelHandle } from './channel-handle.js';
import { Endpoint, type Queue, type Waiter } from './endpoint.js';
import { Messages } from './messages.js';
import type { ReceivedLease } from './received-lease.js';
import { type Several, Transport } from './transport.js';

const MAX_CAPACITY = 65_536;
const DEFAULT_CAPACITY = 256;

/** Options of a {@link Channel}. */
export interface ChannelOptions {
  /** Messages that the channel holds, rounded up to a power of two; 2 to 65,536. Default: 256. */
  capacity?: number;
  /**
   * Whether the thread that makes the channel holds it open, until it leaves it or ends: then nobody is told `ERR_SLABPOOL_PEER_GONE`.
   * What is in the channel waits for a receiver to come, so that a worker which crashes and is replaced costs no message but those
   * that it had received, and senders wait for room. Default: false.
   */
  holdOpen?: boolean;
}

/**
 * A channel is a bounded queue of leases between up to 64 threads of one pool: any of them may send, each message is received once, in the
 * order of sending. Nothing is copied, posted or detached. (The ring is D. Vyukov's bounded MPMC queue.)
 *
 * A thread that waits sleeps until it is woken, and by default keeps its process alive meanwhile: {@link unref}. A channel that is
 * dropped while nobody waits at it is left when it is collected.
 */
export class Channel {
  readonly #heap: Heap;
  readonly #endpoint: Endpoint;
  readonly #transport: Transport;

  /**
   * A new channel for leases of `pool`.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT` (4096 in a process),
   * `ERR_SLABPOOL_OUT_OF_MEMORY`
   */
  constructor(pool: BufferPool, options?: ChannelOptions);
  /** @internal */
  constructor(pool: BufferPool, options: undefined, handle: ChannelHandle);
  constructor(pool: BufferPool, options?: ChannelOptions, handle?: ChannelHandle) {
    const heap = heapOf(pool);
    if (heap === undefined) throw invalidArg('Channel, pool', 'a BufferPool', pool);
    this.#heap = heap;
    this.#heap.assertOpen();
    this.#endpoint = new Endpoint(this.#heap, handle ?? resolve(options));
    this.#transport = new Transport(this.#heap, this.#endpoint);
  }

  /**
   * The channel of another thread. `pool` is this thread's membership in the same pool.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CHANNEL_CLOSED` when every thread has left it, `ERR_SLABPOOL_CLOSED`,
   * `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT` (64 endpoints)
   */
  static attach(pool: BufferPool, handle: ChannelHandle): Channel {
    const given = readChannelHandle(handle);
    const heap = heapOf(pool);
    if (heap !== undefined && given.address.copyId !== heap.core.address?.copyId) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_BACKEND',
        'the channel is of another copy of the addon, or another process',
        { pool: heap.name },
      );
    }
    return new Channel(pool, undefined, given);
  }

  /**
   * For {@link attach} in other threads; structured-clonable.
   * @throws `ERR_SLABPOOL_CHANNEL_CLOSED` after {@link leave}
   */
  get handle(): ChannelHandle {
    return this.#endpoint.handle;
  }

  /** Messages in the channel now, about. */
  get size(): number {
    return this.#endpoint.channel.size;
  }

  /** Other threads that have the channel now. */
  get peers(): number {
    return this.#endpoint.channel.peers;
  }

  /**
   * Hands a lease over if there is room: the lease has ended then. What was sent is received, unless everybody leaves
   * the channel.
   * @param length bytes of the lease that are used, an integer of 0 to its `capacity`; default: its `size`
   * @param tag any number that is to travel along, such as that of a stream; default: 0
   * @returns true when it is handed over, false when the channel is full; the lease is then still the caller's
   * @throws `ERR_SLABPOOL_CHANNEL_CLOSED`, `ERR_SLABPOOL_PEER_GONE`, `ERR_SLABPOOL_INVALID_ARG`,
   * `ERR_SLABPOOL_FOREIGN_LEASE`, and as {@link Lease.transfer}
   */
  trySend(lease: Lease, length?: number, tag = 0): boolean {
    if (typeof tag !== 'number') throw invalidArg('send(lease, length, tag), tag', 'a number', tag, this.#heap.name);
    return this.#transport.send(lease, length, tag);
  }

  /**
   * Hands over as many of the leases as there is room for, in their order; the others are still the caller's. Takes
   * about half the time of single ones.
   * @param lengths for each lease, how many of its bytes are used; default: their sizes
   * @returns how many were handed over
   * @throws as {@link trySend}, and then has handed over none
   */
  trySendMany(leases: readonly Lease[], lengths?: readonly number[]): number {
    return this.#transport.sendMany(this.#several(leases, lengths), 0);
  }

  /**
   * As {@link trySendMany}, but waits until all are handed over; those that are not yet are the caller's if it gives
   * up.
   * @throws as {@link trySend}, `ERR_SLABPOOL_TIMEOUT`, and the signal's reason
   */
  async sendMany(leases: readonly Lease[], lengths?: readonly number[], options?: WaitOptions): Promise<void> {
    const several = this.#several(leases, lengths);
    let sent = 0;
    return this.#wait('sendMany(leases, lengths, options)', 'senders', options, () => {
      sent += this.#transport.sendMany(several, sent);
      return sent === several.leases.length ? { value: undefined } : null;
    });
  }

  /** Copies: the caller's arrays may change meanwhile. */
  #several(leases: readonly Lease[], lengths: readonly number[] | undefined): Several {
    if (!Array.isArray(leases)) {
      throw invalidArg('sendMany(leases, lengths)', 'an array of leases', leases, this.#heap.name);
    }
    const several = { leases: [...leases], lengths: Array.isArray(lengths) ? [...lengths] : undefined };
    const { length } = several.leases;
    if (lengths !== undefined && several.lengths?.length !== length) {
      throw invalidArg('sendMany(leases, lengths), lengths', `${length} numbers`, lengths, this.#heap.name);
    }
    return several;
  }

  /**
   * As {@link trySend}, but waits while the channel is full. The lease is the caller's until the promise is fulfilled.
   * @throws as {@link trySend}, `ERR_SLABPOOL_TIMEOUT`, and the signal's reason
   */
  send(lease: Lease, length?: number, tag?: number, options?: WaitOptions): Promise<void> {
    return this.#wait('send(lease, length, tag, options)', 'senders', options, () =>
      this.trySend(lease, length, tag) ? { value: undefined } : null,
    );
  }

  /**
   * The next lease, or null when there is none now, or never will be ({@link closed}).
   * @throws `ERR_SLABPOOL_PEER_GONE`, and `ERR_SLABPOOL_CHANNEL_CLOSED` after {@link leave}
   */
  tryReceive(): ReceivedLease | null {
    return this.#transport.receive() ?? null;
  }

  /**
   * The next lease; waits for it. Null when the channel is closed and empty.
   * @throws as {@link tryReceive}, `ERR_SLABPOOL_TIMEOUT`, the signal's reason, `ERR_SLABPOOL_INVALID_ARG`
   */
  receive(options?: WaitOptions): Promise<ReceivedLease | null> {
    return this.#wait('receive(options)', 'receivers', options, (arrived) => {
      const lease = this.#transport.receive(arrived);
      return lease === undefined ? null : { value: lease };
    });
  }

  /**
   * Up to `most` leases that are there now; takes about half the time of single ones. A thread that takes more than it
   * can soon deal with keeps them from others.
   * @param most an integer from 1; default: 32
   * @throws as {@link tryReceive}, `ERR_SLABPOOL_INVALID_ARG`
   */
  tryReceiveMany(most = MAX_BATCH): ReceivedLease[] {
    this.#assertMost(most);
    return this.#transport.receiveMany(most) ?? [];
  }

  /**
   * Up to `most` leases; waits until there is one, as {@link receive} does. None when the channel is closed and empty.
   * @param most an integer from 1; default: 32
   * @throws as {@link receive}
   */
  async receiveMany(most = MAX_BATCH, options?: WaitOptions): Promise<ReceivedLease[]> {
    this.#assertMost(most);
    return this.#wait('receiveMany(most, options)', 'receivers', options, (arrived) => {
      const leases = this.#transport.receiveMany(most, arrived);
      return leases === null ? { value: [] } : leases.length > 0 ? { value: leases } : null;
    });
  }

  #assertMost(most: number): void {
    if (!Number.isSafeInteger(most) || most < 1) {
      throw invalidArg('receiveMany(most)', 'an integer from 1', most, this.#heap.name);
    }
  }

  /**
   * The next lease; blocks the thread until there is one. For workers that do nothing else.
   * @param timeoutMs milliseconds from 0; default: `Infinity`
   * @returns null when the time is up, or the channel is closed and empty
   * @throws as {@link tryReceive}, `ERR_SLABPOOL_INVALID_ARG`
   */
  receiveSync(timeoutMs = Infinity): ReceivedLease | null {
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      throw invalidArg('receiveSync(timeoutMs)', 'a number from 0 (milliseconds)', timeoutMs, this.#heap.name);
    }
    let lease = this.#transport.receive();
    if (lease !== undefined) return lease;
    const take = () => this.#transport.receive();
    const until = now() + timeoutMs;
    try {
      for (let left = timeoutMs; lease === undefined && left > 0; left = until - now()) {
        lease = this.#endpoint.sleep(left, take) ?? this.#transport.receive();
      }
    } finally {
      // It disarmed for this thread's other receivers, too.
      this.#endpoint.pump();
    }
    this.#endpoint.passOn();
    return lease ?? null;
  }

  /**
   * The leases, until the channel is closed and empty. When the iteration ends before that, by `break` or `return()` or an error, a
   * message that it is waiting for stays in the channel.
   * @param options `timeout`: for each message; who asks again afterwards waits again
   * @throws `ERR_SLABPOOL_INVALID_ARG`; the iteration as {@link receive}
   */
  messages(options?: WaitOptions): AsyncIterableIterator<ReceivedLease> {
    const limits = checkWaitOptions('messages(options)', options, this.#heap.name);
    return new Messages(this.#endpoint, (arrived) => this.#transport.receive(arrived), limits);
  }

  /** `for await`: {@link messages}, without a timeout. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedLease> {
    return this.messages();
  }

  /** Whether nothing more can be sent. What was sent before can still be received. */
  get closed(): boolean {
    return this.#endpoint.channel.closed;
  }

  /**
   * Ends the channel for all threads: sends fail from now on; receivers get what is still in it, and then null.
   * @throws `ERR_SLABPOOL_CHANNEL_CLOSED` after {@link leave}
   */
  close(): void {
    this.#endpoint.close();
  }

  /**
   * This thread is done with the channel (as it is when its pool is closed, or it ends): whoever waits here is rejected. The
   * last thread to leave takes back what is in it.
   */
  leave(): void {
    this.#endpoint.leave();
  }

  /** `using`: {@link leave}. */
  [Symbol.dispose](): void {
    this.#endpoint.leave();
  }

  /** Waiting keeps the process alive; the default. */
  ref(): void {
    this.#endpoint.ref();
  }

  /** Waiting does not keep the process alive. */
  unref(): void {
    this.#endpoint.unref();
  }

  /** What `attempt` comes to, at once or later; for a call of `what` with these options. */
  #wait<T>(what: string, queue: Queue, options: WaitOptions | undefined, attempt: Waiter<T>['attempt']): Promise<T> {
    let limits: Limits;
    try {
      limits = checkWaitOptions(what, options, this.#heap.name);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#endpoint.wait(queue, limits, attempt);
  }
}

function resolve(options: ChannelOptions | undefined): { capacity: number; holdOpen: boolean } {
  const what = 'Channel(pool, options)';
  const { capacity = DEFAULT_CAPACITY, holdOpen = false } = checkOptions(what, options, ['capacity', 'holdOpen']);
  if (!Number.isSafeInteger(capacity) || capacity < 2 || capacity > MAX_CAPACITY) {
    throw invalidArg(`${what}, option 'capacity'`, `an integer of 2 to ${MAX_CAPACITY} (messages)`, capacity);
  }
  if (typeof holdOpen !== 'boolean') throw invalidArg(`${what}, option 'holdOpen'`, 'true or false', holdOpen);
  return { capacity: 2 ** Math.ceil(Math.log2(capacity)), holdOpen };
}
