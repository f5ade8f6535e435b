import type { Block } from './block.js';
import { now } from './clock.js';
import { CLASSES, type CoreAddress, MAX_BATCH } from './core.js';
import { invalidArg, SlabPoolError } from './errors.js';
import { isAddress } from './handle.js';
import type { Heap } from './heap.js';
import { Lease } from './lease.js';
import type { CoreChannel } from './native-core.js';
import { BufferPool } from './pool.js';

const MAX_CAPACITY = 65_536;
const MAX_ENDPOINTS = 64;
const DEFAULT_CAPACITY = 256;
/** What the core answers instead of an endpoint to wake: its `Result`, as -1 - Result. */
const CLOSED = -3;
const ALONE = -4;
/** How long a blocking receiver sleeps before it looks whether its peers are alive: a thread that dies wakes no such sleeper. */
const LOOK_MS = 1000;

export interface ChannelOptions {
  /** Messages that it holds, rounded up to a power of two; 2 to 65,536. Default: 256. */
  capacity?: number;
}

export interface WaitOptions {
  /** Ends the waiting; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
}

/** What another thread of this process attaches to a channel by. It keeps nothing alive. */
export interface ChannelHandle {
  readonly slabpool: 'channel';
  readonly address: CoreAddress;
  readonly sleepers: SharedArrayBuffer;
}

/** A lease that came through a {@link Channel}, with the two numbers that were sent along. */
export class ReceivedLease extends Lease {
  readonly meta: number;
  readonly meta2: number;

  /** @internal */
  constructor(block: Block, size: number, meta: number, meta2: number) {
    super(block, size);
    this.meta = small(meta);
    this.meta2 = small(meta2);
  }
}

/**
 * The same number, from a Float64Array: an integer of 31 bits as V8 keeps such, since what is computed from it would otherwise
 * be computed with doubles: the demo's parser took 1.8 times as long.
 */
function small(n: number): number {
  const integer = n | 0;
  return Object.is(integer, n) ? integer : n;
}

interface Waiter {
  /** Tries once more; false when it still has to wait. */
  attempt(): boolean;
  reject(reason: unknown): void;
}

/**
 * A bounded queue of leases between up to 64 threads of one pool: any of them may send, each message is received once, in the
 * order of sending. Nothing is copied, posted or detached. (The ring is D. Vyukov's bounded MPMC queue.)
 *
 * A thread that waits sleeps until it is woken, and by default keeps its process alive meanwhile: {@link unref}.
 */
export class Channel {
  readonly #pool: BufferPool;
  readonly #heap: Heap;
  readonly #channel: CoreChannel;
  /** Carries the two numbers of a message to the core and back. */
  readonly #meta: Float64Array;
  /** By endpoint: 1 while it sleeps in {@link receiveSync}. */
  readonly #sleepers: Int32Array<SharedArrayBuffer>;
  readonly #receivers: Waiter[] = [];
  readonly #senders: Waiter[] = [];
  #open = true;
  #refed = true;
  #keepsAlive = false;

  /**
   * A new channel for leases of `pool`.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND`
   */
  constructor(pool: BufferPool, options?: ChannelOptions);
  /** @internal */
  constructor(pool: BufferPool, options: undefined, handle: ChannelHandle);
  constructor(pool: BufferPool, options: ChannelOptions = {}, handle?: ChannelHandle) {
    if (!(pool instanceof BufferPool)) throw invalidArg('Channel, pool', 'a BufferPool', pool);
    if (
      typeof options !== 'object' ||
      options === null ||
      Array.isArray(options) ||
      Object.keys(options).some((key) => key !== 'capacity')
    ) {
      throw invalidArg('Channel, options', 'an object with none but the option capacity', options);
    }
    const { capacity = DEFAULT_CAPACITY } = options;
    if (!Number.isSafeInteger(capacity) || capacity < 2 || capacity > MAX_CAPACITY) {
      throw invalidArg("Channel, option 'capacity'", `an integer of 2 to ${MAX_CAPACITY} (messages)`, capacity);
    }
    this.#pool = pool;
    this.#heap = BufferPool.heapOf(pool);
    this.#heap.assertOpen();
    this.#channel = this.#heap.openChannel(() => this.#awake(), handle?.address ?? 2 ** Math.ceil(Math.log2(capacity)));
    this.#meta = this.#heap.meta;
    this.#sleepers = new Int32Array(handle?.sleepers ?? new SharedArrayBuffer(MAX_ENDPOINTS * 4));
    this.#heap.channels.add(this);
  }

  /**
   * The channel of another thread. `pool` is this thread's membership in the same pool.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_BACKEND`
   */
  static attach(pool: BufferPool, handle: ChannelHandle): Channel {
    const { slabpool, address, sleepers } = (handle ?? {}) as Partial<ChannelHandle>;
    const shared = sleepers instanceof SharedArrayBuffer && sleepers.byteLength === MAX_ENDPOINTS * 4;
    if (slabpool !== 'channel' || !isAddress(address) || !shared) {
      throw invalidArg('Channel.attach(pool, handle), handle', 'the handle of a channel', handle);
    }
    if (pool instanceof BufferPool && address.copyId !== BufferPool.heapOf(pool).core.address?.copyId) {
      throw new SlabPoolError(
        'ERR_SLABPOOL_BACKEND',
        'the channel is of another copy of the addon, or another process',
        {
          pool: pool.name,
        },
      );
    }
    return new Channel(pool, undefined, handle);
  }

  /** For {@link attach} in other threads; structured-clonable. */
  get handle(): ChannelHandle {
    this.#assertOpen();
    const { slot, serial } = this.#channel;
    const copyId = this.#heap.core.address?.copyId as string;
    return { slabpool: 'channel', address: { copyId, slot, serial }, sleepers: this.#sleepers.buffer };
  }

  /** Messages in the channel now, about. */
  get size(): number {
    return this.#channel.size;
  }

  /** Other threads that have the channel now. */
  get peers(): number {
    return this.#channel.peers;
  }

  /**
   * Hands a lease over if there is room: the lease is released then. The two numbers travel along: how many bytes are used,
   * say, and of which stream.
   * @returns false when the channel is full; the lease is then still the caller's
   * @throws `ERR_SLABPOOL_CHANNEL_CLOSED`, `ERR_SLABPOOL_PEER_GONE`, and as `lease.transfer()`
   */
  trySend(lease: Lease, meta = 0, meta2 = 0): boolean {
    this.#assertOpen();
    if (typeof meta !== 'number' || typeof meta2 !== 'number') {
      throw invalidArg('send(lease, meta, meta2)', 'numbers', typeof meta === 'number' ? meta2 : meta, this.#pool.name);
    }
    const block = Lease.blockOf(lease, this.#heap);
    this.#meta[0] = meta;
    this.#meta[1] = meta2;
    this.#heap.put(0, this.#heap.movable(block), lease.size);
    const woken = this.#channel.trySend();
    if (woken >= 0) {
      Lease.resume(lease, this.#heap.left(block));
      if (woken > 0) this.#wakeBlocked(woken - 1);
      return true;
    }
    if (woken === CLOSED) throw this.#closed();
    if (woken === ALONE) throw this.#alone();
    return false;
  }

  /**
   * Hands over as many of the leases as there is room for, in their order; the others are still the caller's. Takes about half
   * the time of single ones.
   * @param metas a number for each lease
   * @returns how many
   * @throws as {@link trySend}, and then has handed over none
   */
  trySendMany(leases: readonly Lease[], metas?: readonly number[]): number {
    this.#assertOpen();
    this.#assertMany(leases, metas);
    return this.#sendMany(leases, metas, 0);
  }

  /** As {@link trySendMany}, but waits until all are handed over; those that are not yet are the caller's if it is aborted. */
  sendMany(leases: readonly Lease[], metas?: readonly number[], { signal }: WaitOptions = {}): Promise<void> {
    // Copies: the caller's arrays may change while it waits.
    const all = Array.isArray(leases) ? [...leases] : leases;
    const numbers = Array.isArray(metas) ? [...metas] : metas;
    let sent = 0;
    return this.#wait(this.#senders, signal, () => {
      this.#assertOpen();
      this.#assertMany(all, numbers);
      sent += this.#sendMany(all, numbers, sent);
      return sent === all.length ? { value: undefined } : null;
    });
  }

  #assertMany(leases: readonly Lease[], metas: readonly number[] | undefined): void {
    if (!Array.isArray(leases))
      throw invalidArg('sendMany(leases, metas)', 'an array of leases', leases, this.#pool.name);
    if (metas === undefined) return;
    if (!Array.isArray(metas) || metas.length !== leases.length || !metas.every((meta) => typeof meta === 'number')) {
      throw invalidArg('sendMany(leases, metas), metas', `${leases.length} numbers`, metas, this.#pool.name);
    }
  }

  /** Hands over those from index `from` on. */
  #sendMany(leases: readonly Lease[], metas: readonly number[] | undefined, from: number): number {
    const blocks: Block[] = [];
    let sent = 0;
    try {
      for (let i = from; i < leases.length; i++) {
        this.#heap.movable(Lease.blockOf(leases[i] as Lease, this.#heap));
        blocks.push(Lease.end(leases[i] as Lease, this.#heap));
      }
      while (sent < blocks.length) {
        const count = Math.min(MAX_BATCH, blocks.length - sent);
        for (let i = 0; i < count; i++) {
          const at = from + sent + i;
          this.#heap.put(i, this.#heap.tracker.blockOf(blocks[sent + i] as Block), (leases[at] as Lease).size);
          this.#meta[2 * i] = metas?.[at] ?? 0;
          this.#meta[2 * i + 1] = 0;
        }
        const result = this.#channel.trySendMany(count);
        if (result === CLOSED && sent === 0) throw this.#closed();
        if (result === ALONE && sent === 0) throw this.#alone();
        if (result <= 0) break;
        sent += result;
        for (let i = 0; i < result; i++) {
          const blocked = this.#heap.core.exchange[CLASSES + i] as number;
          if (blocked > 0) this.#wakeBlocked(blocked - 1);
        }
        if (result < count) break;
      }
    } finally {
      for (const [i, block] of blocks.entries()) {
        Lease.resume(leases[from + i] as Lease, i < sent ? this.#heap.left(block) : block);
      }
    }
    return sent;
  }

  /** As {@link trySend}, but waits while the channel is full. The lease is the caller's until the promise is fulfilled. */
  send(lease: Lease, meta = 0, meta2 = 0, { signal }: WaitOptions = {}): Promise<void> {
    return this.#wait(this.#senders, signal, () => (this.trySend(lease, meta, meta2) ? { value: undefined } : null));
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
    this.#assertOpen();
    const result = this.#channel.tryReceive();
    if (result === 0) {
      const meta = this.#meta;
      return new ReceivedLease(this.#heap.received(0), this.#heap.sizeOf(0), meta[0] as number, meta[1] as number);
    }
    if (result === ALONE) throw this.#alone();
    return result === CLOSED ? null : undefined;
  }

  /** The next lease; waits for it. Null when the channel is closed and empty. */
  receive({ signal }: WaitOptions = {}): Promise<ReceivedLease | null> {
    return this.#wait(this.#receivers, signal, () => {
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
    this.#assertOpen();
    this.#assertMost(most);
    return this.#takeMany(most) ?? [];
  }

  /** Up to `most` leases; waits until there is one. None when the channel is closed and empty. */
  receiveMany(most = MAX_BATCH, { signal }: WaitOptions = {}): Promise<ReceivedLease[]> {
    return this.#wait(this.#receivers, signal, () => {
      this.#assertOpen();
      this.#assertMost(most);
      const leases = this.#takeMany(most);
      return leases === null ? { value: [] } : leases.length > 0 ? { value: leases } : null;
    });
  }

  #assertMost(most: number): void {
    if (!Number.isSafeInteger(most) || most < 1) {
      throw invalidArg('receiveMany(most)', 'an integer from 1', most, this.#pool.name);
    }
  }

  /** Null when there never will be any more. */
  #takeMany(most: number): ReceivedLease[] | null {
    const leases: ReceivedLease[] = [];
    const meta = this.#meta;
    while (leases.length < most) {
      const wanted = Math.min(MAX_BATCH, most - leases.length);
      const count = this.#channel.tryReceiveMany(wanted);
      if (leases.length === 0) {
        if (count === ALONE) throw this.#alone();
        if (count === CLOSED) return null;
      }
      for (let i = 0; i < count; i++) {
        leases.push(
          new ReceivedLease(
            this.#heap.received(i),
            this.#heap.sizeOf(i),
            meta[2 * i] as number,
            meta[2 * i + 1] as number,
          ),
        );
      }
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
      throw invalidArg('receiveSync(timeoutMs)', 'a number from 0 (milliseconds)', timeoutMs, this.#pool.name);
    }
    let lease = this.#take();
    if (lease !== undefined) return lease;
    const until = now() + timeoutMs;
    try {
      for (let left = timeoutMs; lease === undefined && left > 0; left = until - now()) {
        lease = this.#sleep(Math.min(left, LOOK_MS)) ?? this.#take();
      }
    } finally {
      // The bell of this thread's other receivers was disarmed with its own.
      this.#pump();
    }
    this.#passOn();
    return lease ?? null;
  }

  /** Blocks until this endpoint is woken, unless a second look is worth it. */
  #sleep(ms: number): ReceivedLease | null | undefined {
    const { endpoint } = this.#channel;
    Atomics.store(this.#sleepers, endpoint, 1);
    this.#channel.armReceiver(true);
    try {
      const lease = this.#take();
      if (lease === undefined && Atomics.wait(this.#sleepers, endpoint, 1, ms) === 'timed-out') this.#heap.blocked();
      return lease;
    } finally {
      Atomics.store(this.#sleepers, endpoint, 0);
      this.#channel.disarmReceiver();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedLease, void, undefined> {
    for (let lease = await this.receive(); lease !== null; lease = await this.receive()) yield lease;
  }

  /** Whether nothing more can be sent. What was sent before can still be received. */
  get closed(): boolean {
    return this.#channel.closed;
  }

  /** Ends the channel for all threads: sends fail from now on; receivers get what is still in it, and then null. */
  close(): void {
    this.#assertOpen();
    this.#channel.close();
    for (let endpoint = 0; endpoint < MAX_ENDPOINTS; endpoint++) this.#wakeBlocked(endpoint);
    this.#pump();
  }

  /**
   * This thread is done with the channel (as it is when its pool is closed, or it ends): whoever waits here is rejected. The
   * last thread to leave takes back what is in it.
   */
  leave(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#heap.channels.delete(this);
    this.#channel.leave();
    for (let endpoint = 0; endpoint < MAX_ENDPOINTS; endpoint++) this.#wakeBlocked(endpoint);
    for (const { reject } of [...this.#receivers.splice(0), ...this.#senders.splice(0)]) reject(this.#closed());
  }

  /** Waiting keeps the process alive; the default. */
  ref(): void {
    this.#refed = true;
    this.#keepAlive();
  }

  /** Waiting does not keep the process alive. */
  unref(): void {
    this.#refed = false;
    this.#keepAlive();
  }

  #wait<T>(queue: Waiter[], signal: AbortSignal | undefined, attempt: () => { value: T } | null): Promise<T> {
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      return Promise.reject(invalidArg("option 'signal'", 'an AbortSignal', signal, this.#pool.name));
    }
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const waiter: Waiter = {
        attempt() {
          const result = attempt();
          if (result !== null) settle(() => resolve(result.value));
          return result !== null;
        },
        reject: (reason) => settle(() => reject(reason)),
      };
      const abort = () => {
        queue.splice(queue.indexOf(waiter), 1);
        waiter.reject(signal?.reason);
        if (queue.length === 0) this.#disarm(queue);
        this.#keepAlive();
      };
      const settle = (how: () => void) => {
        signal?.removeEventListener('abort', abort);
        how();
      };
      // First come, first served: only who is alone may try at once.
      if (queue.length === 0 && waiter.attempt()) return;
      signal?.addEventListener('abort', abort, { once: true });
      queue.push(waiter);
      this.#pump();
    });
  }

  #awake(): void {
    this.#pump();
    if (this.#open) this.#passOn();
  }

  /** Who was woken wakes another if there is more than it took: one wake-up may stand for two changes. */
  #passOn(): void {
    const woken = this.#channel.passOn(this.#receivers.length === 0, this.#senders.length === 0);
    if (woken > 0) this.#wakeBlocked(woken - 1);
  }

  /** Serves those who wait, as far as it goes. Called when they come, and at each wake-up. */
  #pump(): void {
    if (!this.#open) return;
    const channel = this.#channel;
    if (serve(this.#receivers, () => channel.armReceiver(false))) this.#disarm(this.#receivers);
    if (serve(this.#senders, () => channel.armSender())) this.#disarm(this.#senders);
    this.#keepAlive();
  }

  /** Nobody waits here any more. If the bell was rung meanwhile, {@link #awake} will be called and pass that on. */
  #disarm(queue: Waiter[]): void {
    if (!this.#open) return;
    if (queue === this.#receivers) this.#channel.disarmReceiver();
    else this.#channel.disarmSender();
  }

  #keepAlive(): void {
    const alive = this.#refed && this.#receivers.length + this.#senders.length > 0;
    if (!this.#open || alive === this.#keepsAlive) return;
    this.#keepsAlive = alive;
    if (alive) this.#channel.ref();
    else this.#channel.unref();
  }

  #wakeBlocked(endpoint: number): void {
    if (Atomics.exchange(this.#sleepers, endpoint, 0) === 1) Atomics.notify(this.#sleepers, endpoint);
  }

  #assertOpen(): void {
    if (!this.#open) throw this.#closed();
    this.#heap.assertOpen();
  }

  #closed(): SlabPoolError {
    return new SlabPoolError('ERR_SLABPOOL_CHANNEL_CLOSED', 'the channel was closed, or this thread has left it', {
      pool: this.#pool.name,
    });
  }

  /** Waiting for somebody who is no more would last for ever. */
  #alone(): SlabPoolError {
    return new SlabPoolError('ERR_SLABPOOL_PEER_GONE', 'every other thread that had the channel has left it, or died', {
      pool: this.#pool.name,
    });
  }
}

/**
 * Tries for each waiter in turn. Before the last try it arms the bell: what changes after that try rings it, what changed
 * before is seen by it.
 * @returns whether the bell was armed for nobody, since that try served the last waiter
 */
function serve(queue: Waiter[], arm: () => void): boolean {
  let armed = false;
  while (queue.length > 0) {
    const [first] = queue as [Waiter];
    try {
      if (first.attempt()) {
        queue.shift();
        continue;
      }
    } catch (error) {
      queue.shift();
      first.reject(error);
      continue;
    }
    if (armed) return false;
    arm();
    armed = true;
  }
  return armed;
}
