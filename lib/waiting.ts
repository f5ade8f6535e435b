import type { Block } from './block.js';
import { type Core, QUEUE_FULL } from './core.js';
import { invalidArg, SlabPoolError } from './errors.js';
import type { Heap } from './heap.js';
import { Lease } from './lease.js';
import type { Magazine } from './magazine.js';
import type { ResolvedOptions } from './options.js';

/** What `setTimeout` takes, in milliseconds. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

export interface AcquireOptions {
  /** Ends the waiting; the promise rejects with `signal.reason`. */
  signal?: AbortSignal;
  /** Milliseconds, at most 2^31 - 1; 0: does not wait at all. Default: `Infinity`. */
  timeout?: number;
}

/** Pools that somebody waits for are not collected, also when nobody else has them any more. */
const awaited = new Set<Heap>();

interface Waiter {
  readonly size: number;
  readonly since: number;
  serve(block: Block): void;
  /** Whoever waits gives up, or is given up. */
  fail(reason: unknown): void;
}

/**
 * Those of this thread that wait: for budget in the core's queue, with the other threads', or for room for an oversize buffer, which
 * is each thread's own.
 */
export class Waiting {
  readonly #heap: Heap;
  readonly #core: Core;
  /** By the core's number. */
  readonly #inCore = new Map<number, Waiter>();
  readonly #forOversize = new Set<Waiter>();
  readonly #most: number;
  #keepsAlive = false;
  timedOut = 0;
  aborted = 0;
  /** Those that waited for room for an oversize buffer. */
  oversize = 0;
  /** Milliseconds that those who were served have waited. */
  totalMs = 0;

  constructor(heap: Heap, core: Core, { maxWaiting }: ResolvedOptions) {
    this.#heap = heap;
    this.#core = core;
    this.#most = maxWaiting;
  }

  /** Of this thread. */
  get size(): number {
    return this.#inCore.size + this.#forOversize.size;
  }

  get forOversize(): number {
    return this.#forOversize.size;
  }

  /** @throws `ERR_SLABPOOL_INVALID_ARG`, and the signal's reason */
  check({ signal, timeout = Infinity }: AcquireOptions): void {
    if (signal !== undefined && !(signal instanceof AbortSignal)) {
      throw invalidArg("acquireAsync, option 'signal'", 'an AbortSignal', signal, this.#heap.name);
    }
    if (typeof timeout !== 'number' || !(timeout >= 0) || (timeout > LONGEST_TIMEOUT && timeout !== Infinity)) {
      const expected = `a number of 0 to ${LONGEST_TIMEOUT} (milliseconds), or Infinity`;
      throw invalidArg("acquireAsync, option 'timeout'", expected, timeout, this.#heap.name);
    }
    signal?.throwIfAborted();
  }

  /** A lease of a block of the magazine's tier, once it is this request's turn. */
  forBudget(magazine: Magazine, size: number, options: AcquireOptions): Promise<Lease> {
    let number = 0;
    const withdraw = () => {
      this.#inCore.delete(number);
      // One that was served meanwhile is found by collect(), which gives it back.
      this.#core.cancel(number);
      this.#keepAlive();
    };
    return this.#wait(size, options, withdraw, (waiter) => {
      this.#heap.noteExhausted(magazine.capacity, true);
      number = this.#core.wait(magazine.sizeClass, this.#most);
      if (number < 0) {
        waiter.fail(number === QUEUE_FULL ? this.#full(size, this.#core.waiting) : this.#outOfMemory(size));
        return;
      }
      this.#inCore.set(number, waiter);
      this.#keepAlive();
      this.#heap.mail();
    });
  }

  /** A lease of an oversize buffer, once there is room for it and all that came before. */
  async forRoom(size: number, options: AcquireOptions): Promise<Lease> {
    if (this.forOversize >= this.#most) throw this.#full(size, this.forOversize);
    this.oversize++;
    let joined: Waiter;
    return this.#wait(
      size,
      options,
      () => {
        this.#forOversize.delete(joined);
        this.serveOversize(); // it may have been the one that all others waited for
      },
      (waiter) => {
        joined = waiter;
        this.#forOversize.add(waiter);
      },
    );
  }

  #wait(
    size: number,
    { signal, timeout = Infinity }: AcquireOptions,
    withdraw: () => void,
    join: (waiter: Waiter) => void,
  ): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const settled = () => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        size,
        since: performance.now(),
        serve: (block) => {
          settled();
          this.totalMs += performance.now() - waiter.since;
          resolve(new Lease(block, size));
        },
        fail(reason) {
          settled();
          reject(reason);
        },
      };
      const abort = () => {
        this.aborted++;
        withdraw();
        waiter.fail(signal?.reason);
      };
      const expire = () => {
        this.timedOut++;
        withdraw();
        waiter.fail(this.timeout(size, timeout));
      };
      const timer = timeout === Infinity ? undefined : setTimeout(expire, timeout);
      signal?.addEventListener('abort', abort, { once: true });
      join(waiter);
    });
  }

  /** Hands out what the core has granted. */
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
        block = this.#heap.granted(waiter?.size ?? 0);
      } catch (error) {
        waiter?.fail(error);
        continue;
      }
      if (waiter === undefined) this.#heap.keep(block);
      else waiter.serve(block);
    }
    this.#keepAlive();
  }

  /** An oversize buffer was dropped. */
  serveOversize(): void {
    for (const waiter of this.#forOversize) {
      if (!this.#heap.oversize.fits(waiter.size)) return;
      this.#forOversize.delete(waiter);
      try {
        waiter.serve(this.#heap.oversize.make(waiter.size));
      } catch (error) {
        waiter.fail(error);
      }
    }
  }

  /** The pool is closed. */
  failAll(reason: () => SlabPoolError): void {
    const all = [...this.#inCore.values(), ...this.#forOversize];
    for (const number of this.#inCore.keys()) this.#core.cancel(number);
    this.#inCore.clear();
    this.#forOversize.clear();
    this.#keepAlive();
    for (const { fail } of all) fail(reason());
  }

  timeout(size: number, timeoutMs: number): SlabPoolError {
    return new SlabPoolError(
      'ERR_SLABPOOL_TIMEOUT',
      `no room for ${size} bytes within ${timeoutMs} ms. Release leases sooner, wait longer, or raise maxBytes`,
      { pool: this.#heap.name, details: { sizeBytes: size, timeoutMs } },
    );
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

  /**
   * Another thread may release what this one waits for; where there is none, only this thread can, and if it has nothing else to do
   * it never will.
   */
  #keepAlive(): void {
    if (this.#inCore.size > 0) awaited.add(this.#heap);
    else awaited.delete(this.#heap);
    const alive = this.#inCore.size > 0 && this.#heap.shared;
    if (alive === this.#keepsAlive) return;
    this.#keepsAlive = alive;
    if (alive) this.#core.ref();
    else this.#core.unref();
  }
}
