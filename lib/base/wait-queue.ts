import { throwIfAborted } from './abort.js';
import { keepAlive, letEnd, type Waiting } from './keep-alive.js';
import { type Linked, LinkedList } from './linked-list.js';
import { now } from './runtime.js';
import { LimitedWait, type Limits } from './wait-options.js';

/** One that waits for a `T`. `Ask` is what it asks for. */
export class Waiter<Ask, T> extends LimitedWait implements Linked<Waiter<Ask, T>> {
  previous: Waiter<Ask, T> | null = null;
  next: Waiter<Ask, T> | null = null;
  readonly ask: Ask;
  readonly timeout: number;
  readonly since = now();
  readonly promise: Promise<T>;
  /** Settle the promise. For the queue. */
  resolve!: (value: T) => void;
  reject!: (reason: unknown) => void;
  readonly #queue: WaitQueue<Ask, T>;

  constructor(queue: WaitQueue<Ask, T>, ask: Ask, limits: Limits) {
    super();
    this.#queue = queue;
    this.ask = ask;
    this.timeout = limits.timeout;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.watch(limits);
  }

  protected expired(): void {
    this.#queue.expired(this);
  }

  protected aborted(reason: unknown): void {
    this.#queue.gaveUp(this, reason);
  }
}

/** What a queue asks of the part of a pool that it belongs to. */
interface WaitQueueOwner<Ask, T> extends Waiting {
  /** Why one whose time is up, and that is still in line, is rejected. */
  timeout(ask: Ask, timeoutMs: number): unknown;
  /** This one has left the line by itself, and was rejected. */
  gaveUp(waiter: Waiter<Ask, T>): void;
}

/**
 * A wait queue is a line of requests, each with a promise, which it leaves when it is served or refused, or when one of
 * its own limits is reached.
 *
 * What       Joining, being served and giving up take constant time each, however long the line is.
 * Callers    Whoever has something to give, or to refuse; timers and signals of those who wait.
 * Ownership  While anybody waits, the queue is kept, and the thread as long as others may serve: `keepAlive()`.
 * Identity   `total` == `size` + served + refused + `timedOut` + `aborted`.
 */
export class WaitQueue<Ask, T> implements Waiting {
  readonly #owner: WaitQueueOwner<Ask, T>;
  readonly #line = new LinkedList<Waiter<Ask, T>>();
  /** Requests that ever waited here. */
  total = 0;
  timedOut = 0;
  aborted = 0;
  /** Milliseconds that requests which were served have waited. */
  totalMs = 0;

  constructor(owner: WaitQueueOwner<Ask, T>) {
    this.#owner = owner;
  }

  /** Requests that wait now. */
  get size(): number {
    return this.#line.size;
  }

  /** Who has waited longest. */
  get first(): Waiter<Ask, T> | null {
    return this.#line.first;
  }

  /** Who has waited shortest. */
  get last(): Waiter<Ask, T> | null {
    return this.#line.last;
  }

  [Symbol.iterator](): Generator<Waiter<Ask, T>> {
    return this.#line[Symbol.iterator]();
  }

  /**
   * Puts a request at the end of the line.
   * @throws the signal's reason, if it is aborted
   */
  join(ask: Ask, limits: Limits): Waiter<Ask, T> {
    throwIfAborted(limits.signal);
    const waiter = new Waiter(this, ask, limits);
    this.#line.push(waiter);
    this.total++;
    if (this.#line.size === 1) keepAlive(this);
    return waiter;
  }

  /** For one whose time is up. */
  expired(waiter: Waiter<Ask, T>): void {
    this.timedOut++;
    this.#giveUp(waiter, this.#owner.timeout(waiter.ask, waiter.timeout));
  }

  /** For one whose signal is aborted. */
  gaveUp(waiter: Waiter<Ask, T>, reason: unknown): void {
    this.aborted++;
    this.#giveUp(waiter, reason);
  }

  #giveUp(waiter: Waiter<Ask, T>, reason: unknown): void {
    this.refuse(waiter, reason);
    this.#owner.gaveUp(waiter);
  }

  /** Fulfils the promise of one that is in line. */
  serve(waiter: Waiter<Ask, T>, value: T): void {
    this.#leave(waiter);
    this.totalMs += now() - waiter.since;
    waiter.resolve(value);
  }

  /** Rejects the promise of one that is in line. */
  refuse(waiter: Waiter<Ask, T>, reason: unknown): void {
    this.#leave(waiter);
    waiter.reject(reason);
  }

  #leave(waiter: Waiter<Ask, T>): void {
    waiter.end();
    this.#line.delete(waiter);
    if (this.#line.size === 0) letEnd(this);
  }

  get othersMayServe(): boolean {
    return this.#owner.othersMayServe;
  }

  get description(): string {
    return this.#owner.description;
  }
}
