import { throwIfAborted } from '../base/abort.js';
import { checkWaitOptions, type Limits, type WaitOptions } from '../base/wait-options.js';
import { type Waiter, WaitQueue } from '../base/wait-queue.js';
import { type Core, DRAINING, type Notifiable, QUEUE_FULL } from '../core/core.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { Outbox } from '../events.js';
import { Lease } from '../lease/lease.js';
import type { Block, Magazine } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Oversize } from './oversize.js';

/** What requests that wait ask of the heap that they belong to. */
interface WaitersHeap {
  readonly name: string;
  readonly outbox: Outbox;
  readonly oversize: Oversize;
  readonly transfers: { granted(size: number): Block };
  readonly options: ResolvedOptions;
  readonly notifications: Notifiable;
  readonly refills: { stock(magazine: Magazine): boolean; noteExhausted(capacity: number, waits: boolean): void };
  magazineFor(last: number): Magazine;
  assertGiving(): void;
  putBack(block: Block): void;
  outstanding(): number;
  endedError(): SlabPoolError;
}

/** What a request asks for. */
interface Ask {
  /** Bytes. */
  readonly size: number;
  /** Its number in the core's queue; 0 of one that waits for oversize room. */
  number: number;
}

/**
 * Budget waiters are the requests of this thread that wait: for budget in the core's queue, with the other threads', or
 * for room for an oversize buffer, which is each thread's own.
 *
 * What       Serves at once whoever can be served without overtaking; puts the others in line, and gives up those whose
 *            limit is reached.
 * Callers    `acquireAsync()` and `borrowAsync()`; {@link Notifications} when grants have come; the heap when oversize room
 *            has come.
 * Ownership  A grant is a block in flight to this thread: {@link collect} makes a lease of it, or puts it back if its
 *            request is gone.
 * Identity   `size` == requests of this thread in the core's queue, or served but not collected, + those that wait for
 *            oversize room.
 */
export class BudgetWaiters {
  readonly #heap: WaitersHeap;
  readonly #core: Core;
  readonly #most: number;
  /** Requests for budget. It is the core that says whose turn it is, by their numbers. */
  readonly #inCore: WaitQueue<Ask, Lease>;
  readonly #byNumber = new Map<number, Waiter<Ask, Lease>>();
  readonly #forOversize: WaitQueue<Ask, Lease>;

  constructor(heap: WaitersHeap, core: Core, { maxWaiting }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#most = maxWaiting;
    this.#inCore = this.#queue(
      ({ ask }) => {
        this.#byNumber.delete(ask.number);
        // If it was served meanwhile, the block goes back at once.
        if (!core.cancel(ask.number)) this.collect();
      },
      () => core.othersMayServe,
    );
    this.#forOversize = this.#queue(
      () => this.serveOversize(), // it may have been the one that all others waited for
      () => false,
    );
  }

  #queue(withdraw: (waiter: Waiter<Ask, Lease>) => void, othersMayServe: () => boolean): WaitQueue<Ask, Lease> {
    const describe = () => this.#describe(queue);
    const queue: WaitQueue<Ask, Lease> = new WaitQueue<Ask, Lease>({
      timeout: ({ size }, timeoutMs) => this.#timeout(size, timeoutMs),
      gaveUp: (waiter) => {
        withdraw(waiter);
        this.#heap.outbox.publish();
      },
      get othersMayServe() {
        return othersMayServe();
      },
      get description() {
        return describe();
      },
    });
    return queue;
  }

  /** Requests of this thread that wait now. */
  get size(): number {
    return this.#inCore.size + this.#forOversize.size;
  }

  get forOversize(): number {
    return this.#forOversize.size;
  }

  /** Requests that ever waited for room for an oversize buffer. */
  get oversize(): number {
    return this.#forOversize.total;
  }

  get timedOut(): number {
    return this.#inCore.timedOut + this.#forOversize.timedOut;
  }

  get aborted(): number {
    return this.#inCore.aborted + this.#forOversize.aborted;
  }

  /** Milliseconds that requests which were served have waited. */
  get totalMs(): number {
    return this.#inCore.totalMs + this.#forOversize.totalMs;
  }

  /**
   * A lease of `size` bytes: at once, if `pool` has one, or when it is this request's turn.
   * @param what the public function that was called
   */
  async acquire(
    what: string,
    size: number,
    options: WaitOptions | undefined,
    pool: { acquire(size: number): Lease },
  ): Promise<Lease> {
    const heap = this.#heap;
    const wait = checkWaitOptions(what, options, heap.name);
    throwIfAborted(wait.signal);
    heap.assertGiving();
    if (!Number.isSafeInteger(size) || size < 0) {
      throw invalidArg(`${what}, size`, 'a safe integer from 0 (bytes)', size, heap.name);
    }
    if (size > heap.options.maxPooledSize) {
      const fits = this.forOversize === 0 && heap.oversize.fits(size);
      // One that never fits is refused by acquire().
      if (fits || !heap.oversize.everFits(size)) return pool.acquire(size);
      if (wait.timeout === 0) throw this.#timeout(size, 0);
      return this.#forRoom(size, wait);
    }
    const magazine = heap.magazineFor(Math.max(0, size - 1));
    if (heap.refills.stock(magazine)) return pool.acquire(size);
    if (wait.timeout === 0) throw this.#timeout(size, 0);
    return this.#forBudget(magazine, size, wait);
  }

  /** A lease of a block of the magazine's tier, once it is this request's turn. */
  #forBudget(magazine: Magazine, size: number, limits: Limits): Promise<Lease> {
    const waiter = this.#inCore.join({ size, number: 0 }, limits);
    this.#heap.refills.noteExhausted(magazine.capacity, true);
    const number = this.#core.wait(magazine.sizeClass, this.#most);
    if (number > 0) {
      waiter.ask.number = number;
      this.#byNumber.set(number, waiter);
    } else {
      this.#inCore.refuse(waiter, this.#refusal(number, size));
    }
    this.#heap.notifications.notified();
    return waiter.promise;
  }

  /** A lease of an oversize buffer, once there is room for it and all that came before. */
  #forRoom(size: number, limits: Limits): Promise<Lease> {
    if (this.forOversize >= this.#most) throw this.#full(size, this.forOversize);
    return this.#forOversize.join({ size, number: 0 }, limits).promise;
  }

  /** Serves those whose blocks the core has granted. */
  collect(): void {
    for (let number = this.#core.collect(); number !== 0; number = this.#core.collect()) {
      const waiter = this.#byNumber.get(Math.abs(number));
      this.#byNumber.delete(Math.abs(number));
      if (number < 0) {
        if (waiter !== undefined) this.#inCore.refuse(waiter, this.#outOfMemory(waiter.ask.size));
        continue;
      }
      let block: Block;
      try {
        block = this.#heap.transfers.granted(waiter?.ask.size ?? 0);
      } catch (error) {
        if (waiter !== undefined) this.#inCore.refuse(waiter, error);
        continue;
      }
      if (waiter === undefined) this.#heap.putBack(block);
      else this.#inCore.serve(waiter, Lease.over(block, waiter.ask.size));
    }
  }

  /** Serves those who wait for oversize room, in their order, as far as it goes: an oversize buffer was dropped. */
  serveOversize(): void {
    for (const waiter of this.#forOversize) {
      const { size } = waiter.ask;
      if (!this.#heap.oversize.fits(size)) break;
      try {
        this.#forOversize.serve(waiter, Lease.over(this.#heap.oversize.make(size), size));
      } catch (error) {
        this.#forOversize.refuse(waiter, error);
      }
    }
  }

  /** Refuses everybody: the pool is about to be closed, or drains. */
  failAll(reason: () => SlabPoolError): void {
    const numbers = [...this.#byNumber.keys()];
    this.#byNumber.clear();
    // The last one first: as long as the first one waits, nobody behind it is served in vain.
    for (const number of numbers.reverse()) this.#core.cancel(number);
    this.collect();
    for (const queue of [this.#inCore, this.#forOversize]) {
      for (const waiter of queue) queue.refuse(waiter, reason());
    }
  }

  #timeout(size: number, timeoutMs: number): SlabPoolError {
    const { waiting } = this.#core;
    const outstanding = this.#heap.outstanding();
    const own = outstanding === 0 ? '' : `. The thread that waits holds ${outstanding} leases itself`;
    return new SlabPoolError(
      'ERR_SLABPOOL_TIMEOUT',
      `no room for ${size} bytes within ${timeoutMs} ms. Release leases sooner, wait longer, or raise maxBytes${own}`,
      { pool: this.#heap.name, details: { sizeBytes: size, timeoutMs, waiting, outstanding } },
    );
  }

  /** Why the core gives no place in its queue. */
  #refusal(status: number, size: number): SlabPoolError {
    if (status === DRAINING) return this.#heap.endedError();
    return status === QUEUE_FULL ? this.#full(size, this.#core.waiting) : this.#outOfMemory(size);
  }

  #full(size: number, waiting: number): SlabPoolError {
    return new SlabPoolError(
      'ERR_SLABPOOL_QUEUE_FULL',
      `${size} bytes cannot be waited for: ${waiting} requests wait already, and maxWaiting is ${this.#most}. ` +
        'Take less work on at once, or raise maxWaiting or maxBytes',
      { pool: this.#heap.name, details: { sizeBytes: size, waiting, maxWaiting: this.#most } },
    );
  }

  #outOfMemory(size: number): SlabPoolError {
    return new SlabPoolError('ERR_SLABPOOL_OUT_OF_MEMORY', `the system has no memory for ${size} bytes`, {
      pool: this.#heap.name,
      details: { sizeBytes: size },
    });
  }

  #describe(queue: WaitQueue<Ask, Lease>): string {
    const { name, oversize } = this.#heap;
    const largest = [...queue].reduce((most, { ask }) => Math.max(most, ask.size), 0);
    return (
      `pool '${name}', ${queue.size} requests of up to ${largest} bytes, while the thread itself holds ` +
      `${this.#heap.outstanding()} leases (${oversize.count} of them oversize)`
    );
  }
}
