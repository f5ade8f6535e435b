import { throwIfAborted } from '../base/abort.js';
import { keepAlive, letEnd, type Waiting } from '../base/keep-alive.js';
import { now } from '../base/runtime.js';
import { checkWaitOptions, type Limits, type WaitOptions, watchLimits } from '../base/wait-options.js';
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

/** A request that waits. */
interface Waiter {
  readonly size: number;
  serve(block: Block): void;
  /** Rejects: the request has given up, or was given up. */
  fail(reason: unknown): void;
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
export class BudgetWaiters implements Waiting {
  readonly #heap: WaitersHeap;
  readonly #core: Core;
  /** Requests for budget, by the core's number. */
  readonly #inCore = new Map<number, Waiter>();
  readonly #forOversize = new Set<Waiter>();
  readonly #most: number;
  timedOut = 0;
  aborted = 0;
  /** Requests that ever waited for room for an oversize buffer. */
  oversize = 0;
  /** Milliseconds that requests which were served have waited. */
  totalMs = 0;

  constructor(heap: WaitersHeap, core: Core, { maxWaiting }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#most = maxWaiting;
  }

  /** Requests of this thread that wait now. */
  get size(): number {
    return this.#inCore.size + this.#forOversize.size;
  }

  get forOversize(): number {
    return this.#forOversize.size;
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
    let number = 0;
    const withdraw = () => {
      this.#inCore.delete(number);
      // If it was served meanwhile, the block goes back at once.
      if (!this.#core.cancel(number)) this.collect();
      this.#stayAlive();
    };
    return this.#wait(size, limits, withdraw, (waiter) => {
      this.#heap.refills.noteExhausted(magazine.capacity, true);
      number = this.#core.wait(magazine.sizeClass, this.#most);
      if (number > 0) {
        this.#inCore.set(number, waiter);
        this.#stayAlive();
      } else {
        waiter.fail(this.#refusal(number, size));
      }
      this.#heap.notifications.notified();
    });
  }

  /** A lease of an oversize buffer, once there is room for it and all that came before. */
  async #forRoom(size: number, limits: Limits): Promise<Lease> {
    if (this.forOversize >= this.#most) throw this.#full(size, this.forOversize);
    this.oversize++;
    let joined: Waiter;
    const withdraw = () => {
      this.#forOversize.delete(joined);
      this.serveOversize(); // it may have been the one that all others waited for
    };
    return this.#wait(size, limits, withdraw, (waiter) => {
      joined = waiter;
      this.#forOversize.add(waiter);
      this.#stayAlive();
    });
  }

  #wait(size: number, limits: Limits, withdraw: () => void, join: (waiter: Waiter) => void): Promise<Lease> {
    return new Promise((resolve, reject) => {
      // Subscribers may have aborted it on the way here.
      throwIfAborted(limits.signal);
      const since = now();
      const waiter: Waiter = {
        size,
        serve: (block) => {
          limit.end();
          this.totalMs += now() - since;
          resolve(Lease.over(block, size));
        },
        fail(reason) {
          limit.end();
          reject(reason);
        },
      };
      const giveUp = (reason: unknown) => {
        withdraw();
        waiter.fail(reason);
        this.#heap.outbox.publish();
      };
      const expired = () => {
        this.timedOut++;
        giveUp(this.#timeout(size, limits.timeout));
      };
      const aborted = (reason: unknown) => {
        this.aborted++;
        giveUp(reason);
      };
      const limit = watchLimits(limits, expired, aborted);
      join(waiter);
    });
  }

  /** Serves those whose blocks the core has granted. */
  collect(): void {
    for (let number = this.#core.collect(); number !== 0; number = this.#core.collect()) {
      const waiter = this.#inCore.get(Math.abs(number));
      this.#inCore.delete(Math.abs(number));
      if (number < 0) {
        waiter?.fail(this.#outOfMemory(waiter.size));
        continue;
      }
      let block: Block;
      try {
        block = this.#heap.transfers.granted(waiter?.size ?? 0);
      } catch (error) {
        waiter?.fail(error);
        continue;
      }
      if (waiter === undefined) this.#heap.putBack(block);
      else waiter.serve(block);
    }
    this.#stayAlive();
  }

  /** Serves those who wait for oversize room, in their order, as far as it goes: an oversize buffer was dropped. */
  serveOversize(): void {
    for (const waiter of this.#forOversize) {
      if (!this.#heap.oversize.fits(waiter.size)) break;
      this.#forOversize.delete(waiter);
      try {
        waiter.serve(this.#heap.oversize.make(waiter.size));
      } catch (error) {
        waiter.fail(error);
      }
    }
    this.#stayAlive();
  }

  /** Refuses everybody: the pool is about to be closed, or drains. */
  failAll(reason: () => SlabPoolError): void {
    const all = [...this.#inCore.values(), ...this.#forOversize];
    const numbers = [...this.#inCore.keys()];
    this.#inCore.clear();
    this.#forOversize.clear();
    // The last one first: as long as the first one waits, nobody behind it is served in vain.
    for (const number of numbers.reverse()) this.#core.cancel(number);
    this.collect();
    for (const { fail } of all) fail(reason());
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

  #stayAlive(): void {
    if (this.size > 0) keepAlive(this);
    else letEnd(this);
  }

  get othersMayServe(): boolean {
    return this.#inCore.size > 0 && this.#core.othersMayServe;
  }

  get description(): string {
    const { name, oversize } = this.#heap;
    const sizes = [...this.#inCore.values(), ...this.#forOversize].map(({ size }) => size);
    const largest = sizes.reduce((most, size) => Math.max(most, size), 0);
    return (
      `pool '${name}', ${sizes.length} requests of up to ${largest} bytes, while the thread itself holds ` +
      `${this.#heap.outstanding()} leases (${oversize.count} of them oversize)`
    );
  }
}
