import type { Block } from './block.js';
import { checkOptions } from './check.js';
import { now } from './clock.js';
import { CLASSES, MAX_BATCH, SIZES } from './core.js';
import { Endpoint, type Queue } from './endpoint.js';
import { internal, invalidArg, SlabPoolError } from './errors.js';
import { type ChannelHandle, readChannelHandle } from './handle.js';
import type { Heap } from './heap.js';
import { Lease } from './lease.js';
import { Messages } from './messages.js';
import { BufferPool } from './pool.js';
import { ReceivedLease } from './received-lease.js';
import { checkWaitOptions, type Limits, type WaitOptions } from './wait-options.js';

const MAX_CAPACITY = 65_536;
const DEFAULT_CAPACITY = 256;
/** The core's `Result`, as -1 - Result. */
const WOULD_BLOCK = -2;
const CLOSED = -3;
const ALONE = -4;

export interface ChannelOptions {
  /** Messages that it holds, rounded up to a power of two; 2 to 65,536. Default: 256. */
  capacity?: number;
  /**
   * Whether the thread that makes the channel holds it open, until it leaves it or ends: then nobody is told `ERR_SLABPOOL_PEER_GONE`.
   * What is in the channel waits for a receiver to come, so that a worker which crashes and is replaced costs no message but those
   * that it had received, and senders wait for room. Default: false.
   */
  holdOpen?: boolean;
}

interface Several {
  readonly leases: readonly Lease[];
  /** One for each; 0 unless given. */
  readonly metas: readonly number[] | undefined;
}

/**
 * A bounded queue of leases between up to 64 threads of one pool: any of them may send, each message is received once, in the
 * order of sending. Nothing is copied, posted or detached. (The ring is D. Vyukov's bounded MPMC queue.)
 *
 * A thread that waits sleeps until it is woken, and by default keeps its process alive meanwhile: {@link unref}. A channel that is
 * dropped while nobody waits at it is left when it is collected.
 */
export class Channel {
  readonly #heap: Heap;
  readonly #endpoint: Endpoint;
  /** Carry messages to the core and back: blocks with their classes and sizes, and the two numbers of each. */
  readonly #exchange: Uint32Array;
  readonly #meta: Float64Array;

  /**
   * A new channel for leases of `pool`.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT` (4096 in a process),
   * `ERR_SLABPOOL_OUT_OF_MEMORY`
   */
  constructor(pool: BufferPool, options?: ChannelOptions);
  /** @internal */
  constructor(pool: BufferPool, options: undefined, handle: ChannelHandle);
  constructor(pool: BufferPool, options?: ChannelOptions, handle?: ChannelHandle) {
    if (!(pool instanceof BufferPool)) throw invalidArg('Channel, pool', 'a BufferPool', pool);
    this.#heap = BufferPool.heapOf(pool);
    this.#heap.assertOpen();
    this.#endpoint = new Endpoint(this.#heap, handle ?? resolve(options));
    this.#exchange = this.#heap.core.exchange;
    this.#meta = this.#heap.meta;
  }

  /**
   * The channel of another thread. `pool` is this thread's membership in the same pool.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CHANNEL_CLOSED` when every thread has left it, `ERR_SLABPOOL_CLOSED`,
   * `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_LIMIT` (64 endpoints)
   */
  static attach(pool: BufferPool, handle: ChannelHandle): Channel {
    const given = readChannelHandle(handle);
    if (pool instanceof BufferPool && given.address.copyId !== BufferPool.heapOf(pool).core.address?.copyId) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_BACKEND',
        'the channel is of another copy of the addon, or another process',
        { pool: pool.name },
      );
    }
    return new Channel(pool, undefined, given);
  }

  /** For {@link attach} in other threads; structured-clonable. */
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
   * Hands a lease over if there is room: the lease is released then. Its size travels along, and the two numbers: of which stream,
   * say. What was sent is received, unless everybody leaves the channel.
   * @returns false when the channel is full; the lease is then still the caller's
   * @throws `ERR_SLABPOOL_CHANNEL_CLOSED`, `ERR_SLABPOOL_PEER_GONE`, and as `lease.transfer()`
   */
  trySend(lease: Lease, meta = 0, meta2 = 0): boolean {
    this.#endpoint.assertOpen();
    if (!isNumber(meta) || !isNumber(meta2)) {
      throw invalidArg('send(lease, meta, meta2)', 'numbers', isNumber(meta) ? meta2 : meta, this.#heap.name);
    }
    const block = Lease.blockOf(lease, this.#heap);
    this.#put(0, this.#heap.movable(block), lease, meta, meta2);
    const blocked = this.#endpoint.channel.trySend();
    if (blocked < 0) {
      if (blocked !== WOULD_BLOCK) this.#refuse('trySend', blocked);
      return false;
    }
    Lease.resume(lease, this.#heap.left(block));
    if (blocked > 0) this.#endpoint.wake(blocked);
    return true;
  }

  /**
   * Hands over as many of the leases as there is room for, in their order; the others are still the caller's. Takes about half
   * the time of single ones.
   * @param metas a number for each lease
   * @returns how many
   * @throws as {@link trySend}, and then has handed over none
   */
  trySendMany(leases: readonly Lease[], metas?: readonly number[]): number {
    this.#endpoint.assertOpen();
    return this.#sendMany(this.#several(leases, metas), 0);
  }

  /** As {@link trySendMany}, but waits until all are handed over; those that are not yet are the caller's if it gives up. */
  async sendMany(leases: readonly Lease[], metas?: readonly number[], options?: WaitOptions): Promise<void> {
    const several = this.#several(leases, metas);
    let sent = 0;
    return this.#wait('sendMany(leases, metas, options)', 'senders', options, () => {
      this.#endpoint.assertOpen();
      sent += this.#sendMany(several, sent);
      return sent === several.leases.length ? { value: undefined } : null;
    });
  }

  /** Copies: the caller's arrays may change meanwhile. */
  #several(leases: readonly Lease[], metas: readonly number[] | undefined): Several {
    if (!Array.isArray(leases)) {
      throw invalidArg('sendMany(leases, metas)', 'an array of leases', leases, this.#heap.name);
    }
    const several = { leases: [...leases], metas: Array.isArray(metas) ? [...metas] : undefined };
    const { length } = several.leases;
    if (metas !== undefined && !(several.metas?.length === length && several.metas.every(isNumber))) {
      throw invalidArg('sendMany(leases, metas), metas', `${length} numbers`, metas, this.#heap.name);
    }
    return several;
  }

  /** Hands over those from index `from` on, as far as there is room: how many. */
  #sendMany({ leases, metas }: Several, from: number): number {
    const heap = this.#heap;
    const blocks: Block[] = [];
    let sent = 0;
    try {
      for (let i = from; i < leases.length; i++) {
        heap.movable(Lease.blockOf(leases[i] as Lease, heap));
        blocks.push(Lease.end(leases[i] as Lease, heap)); // one that is there twice is noticed
      }
      while (sent < blocks.length) {
        const count = Math.min(MAX_BATCH, blocks.length - sent);
        for (let i = 0; i < count; i++) {
          const at = from + sent + i;
          this.#put(i, heap.tracker.blockOf(blocks[sent + i] as Block), leases[at] as Lease, metas?.[at] ?? 0, 0);
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
        Lease.resume(leases[from + i] as Lease, i < sent ? heap.left(block) : block);
      }
    }
    return sent;
  }

  /** The block of a lease is number `at` of those that are to leave this thread. */
  #put(at: number, { index, magazine }: Block, { size }: Lease, meta: number, meta2: number): void {
    const exchange = this.#exchange;
    exchange[at] = index;
    exchange[CLASSES + at] = magazine.sizeClass;
    exchange[SIZES + at] = size;
    this.#meta[2 * at] = meta;
    this.#meta[2 * at + 1] = meta2;
  }

  /** As {@link trySend}, but waits while the channel is full. The lease is the caller's until the promise is fulfilled. */
  send(lease: Lease, meta = 0, meta2 = 0, options?: WaitOptions): Promise<void> {
    return this.#wait('send(lease, meta, meta2, options)', 'senders', options, () =>
      this.trySend(lease, meta, meta2) ? { value: undefined } : null,
    );
  }

  /**
   * The next lease, or null when there is none now, or never will be ({@link closed}).
   * @throws `ERR_SLABPOOL_PEER_GONE`, and `ERR_SLABPOOL_CHANNEL_CLOSED` after {@link leave}
   */
  tryReceive(): ReceivedLease | null {
    return this.#take() ?? null;
  }

  /** As {@link tryReceive}, but undefined when there is none now, and null when there never will be. */
  #take(): ReceivedLease | null | undefined {
    this.#endpoint.assertOpen();
    const result = this.#endpoint.channel.tryReceive();
    if (result === 0) return this.#arrived(0);
    if (result === WOULD_BLOCK) return undefined;
    return result === CLOSED ? null : this.#refuse('tryReceive', result);
  }

  #arrived(at: number): ReceivedLease {
    const meta = this.#meta;
    const size = this.#exchange[SIZES + at] as number;
    return new ReceivedLease(this.#heap.received(at), size, meta[2 * at] as number, meta[2 * at + 1] as number);
  }

  /**
   * The next lease; waits for it. Null when the channel is closed and empty.
   * @throws as {@link tryReceive}, `ERR_SLABPOOL_TIMEOUT`, and the signal's reason
   */
  receive(options?: WaitOptions): Promise<ReceivedLease | null> {
    return this.#wait('receive(options)', 'receivers', options, () => {
      const lease = this.#take();
      return lease === undefined ? null : { value: lease };
    });
  }

  /**
   * Up to `most` leases that are there now; takes about half the time of single ones. A thread that takes more than it can
   * soon deal with keeps them from others.
   * @throws as {@link tryReceive}
   */
  tryReceiveMany(most = MAX_BATCH): ReceivedLease[] {
    this.#endpoint.assertOpen();
    this.#assertMost(most);
    return this.#takeMany(most) ?? [];
  }

  /** Up to `most` leases; waits until there is one, as {@link receive} does. None when the channel is closed and empty. */
  async receiveMany(most = MAX_BATCH, options?: WaitOptions): Promise<ReceivedLease[]> {
    this.#assertMost(most);
    return this.#wait('receiveMany(most, options)', 'receivers', options, () => {
      this.#endpoint.assertOpen();
      const leases = this.#takeMany(most);
      return leases === null ? { value: [] } : leases.length > 0 ? { value: leases } : null;
    });
  }

  #assertMost(most: number): void {
    if (!Number.isSafeInteger(most) || most < 1) {
      throw invalidArg('receiveMany(most)', 'an integer from 1', most, this.#heap.name);
    }
  }

  /** Null when there never will be any more. */
  #takeMany(most: number): ReceivedLease[] | null {
    const leases: ReceivedLease[] = [];
    while (leases.length < most) {
      const wanted = Math.min(MAX_BATCH, most - leases.length);
      const count = this.#endpoint.channel.tryReceiveMany(wanted);
      if (count < 0 && leases.length === 0) {
        if (count === CLOSED) return null;
        if (count !== WOULD_BLOCK) this.#refuse('tryReceiveMany', count);
      }
      for (let i = 0; i < count; i++) leases.push(this.#arrived(i));
      if (count < wanted) break;
    }
    return leases;
  }

  /**
   * The next lease; blocks the thread until there is one. For workers that do nothing else.
   * @param timeoutMs at least 0; default: for ever
   * @returns null when the time is up, or the channel is closed and empty
   */
  receiveSync(timeoutMs = Infinity): ReceivedLease | null {
    if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
      throw invalidArg('receiveSync(timeoutMs)', 'a number from 0 (milliseconds)', timeoutMs, this.#heap.name);
    }
    let lease = this.#take();
    if (lease !== undefined) return lease;
    const take = () => this.#take();
    const until = now() + timeoutMs;
    try {
      for (let left = timeoutMs; lease === undefined && left > 0; left = until - now()) {
        lease = this.#endpoint.sleep(left, take) ?? this.#take();
      }
    } finally {
      // The bell of this thread's other receivers was disarmed with its own.
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
  messages(options?: WaitOptions): AsyncIterableIterator<ReceivedLease, undefined> {
    const limits = checkWaitOptions('messages(options)', options, this.#heap.name);
    return new Messages(this.#endpoint, () => this.#take(), limits);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedLease, undefined> {
    return this.messages();
  }

  /** Whether nothing more can be sent. What was sent before can still be received. */
  get closed(): boolean {
    return this.#endpoint.channel.closed;
  }

  /** Ends the channel for all threads: sends fail from now on; receivers get what is still in it, and then null. */
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
  #wait<T>(
    what: string,
    queue: Queue,
    options: WaitOptions | undefined,
    attempt: () => { value: T } | null,
  ): Promise<T> {
    let limits: Limits;
    try {
      limits = checkWaitOptions(what, options, this.#heap.name);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#endpoint.wait(queue, limits, attempt);
  }

  /** What a negative answer of the core means. */
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

function resolve(options: ChannelOptions | undefined): { capacity: number; holdOpen: boolean } {
  const what = 'Channel(pool, options)';
  const { capacity = DEFAULT_CAPACITY, holdOpen = false } = checkOptions(what, options, ['capacity', 'holdOpen']);
  if (!Number.isSafeInteger(capacity) || capacity < 2 || capacity > MAX_CAPACITY) {
    throw invalidArg(`${what}, option 'capacity'`, `an integer of 2 to ${MAX_CAPACITY} (messages)`, capacity);
  }
  if (typeof holdOpen !== 'boolean') throw invalidArg(`${what}, option 'holdOpen'`, 'true or false', holdOpen);
  return { capacity: 2 ** Math.ceil(Math.log2(capacity)), holdOpen };
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
