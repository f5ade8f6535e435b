import { setImmediate } from 'node:timers';
import { type Bytes, now, outside } from '../base/runtime.js';
import {
  type Cause,
  CLASSES,
  type Core,
  type CoreClassStats,
  type CoreInFlight,
  type CoreOptions,
  type CoreThreadStats,
  type CoreTotals,
  DRAINING,
  EXCHANGE_LENGTH,
  EXHAUSTED,
  FLUSH_REQUESTS,
  NOT_HELD,
  type Notifiable,
  OTHER_MEMORY,
  OUT_OF_MEMORY,
  QUEUE_FULL,
  RECLAIMED,
  SIZES,
  STALE,
  STEP,
  STEPS,
  WAITING,
} from './core.js';
import { HAND_OVERS, type JsBlock, JsBlockStore, TICKET_BLOCKS } from './js-block-store.js';
import { type Pressure, runtimePressure } from './pressure.js';
import { move, ownMemory, takeBack } from './runtime-memory.js';

const KIB = 1024;

/**
 * JsCore is the core without an addon, for one thread: it lends memory from V8, with the native core's books. It cannot
 * align blocks, give pages back while their views stay valid, or show one block to several threads.
 *
 * What      Decides who gets blocks, first come, first served, and when idle ones are given up; the store does it.
 */
export class JsCore implements Core {
  readonly exchange = new Uint32Array(EXCHANGE_LENGTH);
  readonly address = null;
  readonly channels = null;
  readonly stableAddresses = false;
  readonly agesItself = false;
  readonly othersMayServe = false;
  readonly #store: JsBlockStore;
  /** Classes of the requests that wait, by their numbers, in the order of arrival. */
  readonly #requests = new Map<number, number>();
  #lastNumber = 0;
  /** Requests that were served; with a ticket of -1 where there was no memory. */
  readonly #grants: { number: number; sizeClass: number; ticket: number }[] = [];
  #listener: WeakRef<Notifiable> | undefined;
  draining = false;
  drained = false;
  #flushRequest = 0;

  constructor(options: Omit<CoreOptions, 'epochMs'>) {
    this.#store = new JsBlockStore(options, this.exchange);
  }

  batch(sizeClass: number): number {
    return this.#store.class(sizeClass).batch;
  }

  refill(sizeClass: number): number {
    const k = this.#store.class(sizeClass);
    if (this.draining) return DRAINING;
    let count = this.#requests.size > 0 ? EXHAUSTED : this.#store.refill(k, sizeClass, k.batch);
    this.exchange[RECLAIMED] = 0;
    if (count === EXHAUSTED && this.#requests.size === 0) {
      const given = this.#giveUpIdle('exhausted');
      count = this.#store.refill(k, sizeClass, k.batch);
      this.exchange[RECLAIMED] = given / KIB;
    }
    if (count > 0) k.acquires++; // the first one is leased at once
    return count;
  }

  warm(sizeClass: number, count: number): number {
    if (this.draining) return DRAINING;
    if (this.#requests.size > 0) return EXHAUSTED;
    const k = this.#store.class(sizeClass);
    const free = k.depot.length + k.victim.length;
    const possible = free + this.#store.room(k);
    this.exchange[STEP] = STEPS.indexOf('depot');
    if (possible < count) return possible;
    const missing = Math.max(0, count - free);
    if (missing > k.cold.length) {
      this.#store.carve(k, sizeClass, missing - k.cold.length);
      this.exchange[STEP] = STEPS.indexOf('slab');
    }
    const numbers = k.cold.slice(k.cold.length - missing);
    const blocks = numbers.map((index) => this.#store.blocks[index] as JsBlock);
    try {
      for (const block of blocks) block.bytes = ownMemory(Buffer.from(new ArrayBuffer(k.capacity)));
    } catch {
      for (const block of blocks) block.bytes = null;
      return OUT_OF_MEMORY;
    }
    for (const block of blocks) block.state = 'free';
    k.cold.length -= missing;
    k.depot = k.depot.concat(numbers);
    this.#store.charge(k, missing);
    return count;
  }

  takeFree(sizeClass: number, most: number): number {
    const k = this.#store.class(sizeClass);
    if (this.draining || this.#requests.size > 0) return 0;
    return this.#store.handOut(k, k.depot.length > 0 ? k.depot : k.victim, most);
  }

  publishCounters(sizeClass: number): void {
    const k = this.#store.class(sizeClass);
    const [low, high, cached] = this.exchange as unknown as [number, number, number];
    k.acquires += high * 2 ** 32 + low;
    k.cached = cached;
  }

  listen(listener: WeakRef<Notifiable>): void {
    this.#listener = listener;
  }

  get waiting(): number {
    return this.#requests.size;
  }

  wait(sizeClass: number, most: number): number {
    this.#store.class(sizeClass);
    if (this.draining) return DRAINING;
    if (this.#requests.size >= most) return QUEUE_FULL;
    const number = ++this.#lastNumber;
    this.#requests.set(number, sizeClass);
    this.#store.totals.waits++;
    this.#store.totals.peakWaiting = Math.max(this.#store.totals.peakWaiting, this.#requests.size);
    this.#serve();
    return number;
  }

  cancel(number: number): boolean {
    const cancelled = this.#requests.delete(number);
    if (cancelled) this.#serve();
    return cancelled;
  }

  collect(): number {
    for (let grant = this.#grants.shift(); grant !== undefined; grant = this.#grants.shift()) {
      const { number, sizeClass, ticket } = grant;
      if (ticket < 0) return -number;
      if (this.adopt(ticket) === 0) return number;
      // Somebody guessed the ticket: the request waits again, in its old place.
      const others = [...this.#requests];
      this.#requests.clear();
      for (const [each, its] of [[number, sizeClass] as const, ...others]) this.#requests.set(each, its);
      this.#serve();
    }
    return 0;
  }

  #serve(): void {
    if (this.draining) {
      if (this.drained || this.#store.classes.some(({ held, inFlight }) => held + inFlight > 0)) return;
      this.drained = true;
      this.#flushRequest = FLUSH_REQUESTS.drain;
      this.#notify();
      return;
    }
    for (const [number, sizeClass] of this.#requests) {
      const k = this.#store.class(sizeClass);
      const kept = this.exchange[0] as number; // it may be the caller's
      let count = this.#store.refill(k, sizeClass, 1);
      if (count === EXHAUSTED) {
        this.#giveUpIdle('exhausted');
        count = this.#store.refill(k, sizeClass, 1);
      }
      const block = count > 0 ? (this.exchange[0] as number) : -1;
      this.exchange[0] = kept;
      if (count === EXHAUSTED) return;
      this.#requests.delete(number);
      if (block >= 0) k.acquires++;
      const ticket = block < 0 ? -1 : this.transfer(sizeClass, block, 0);
      if (this.#grants.push({ number, sizeClass, ticket }) === 1) this.#notify();
    }
  }

  #notify(): void {
    outside(() => setImmediate(() => this.#listener?.deref()?.notified()));
  }

  takeFlushRequest(): number {
    const request = this.#flushRequest;
    this.#flushRequest = 0;
    return request;
  }

  requestFlush(): void {}

  drain(): void {
    this.draining = true;
    this.#flushRequest = FLUSH_REQUESTS.drain;
    this.#serve();
  }

  trimSoon(): void {
    this.trim('trim');
  }

  countRefusal(): void {
    this.#store.totals.refused++;
  }

  areCold(count: number): number {
    const cold = this.exchange.subarray(0, count).filter((block) => this.#store.blocks[block]?.state === 'cold');
    this.exchange.set(cold);
    return cold.length;
  }

  flush(sizeClass: number, count: number): number {
    const k = this.#store.class(sizeClass);
    let status = 0;
    for (let i = 0; i < count; i++) {
      const index = this.exchange[i] as number;
      if (!this.holds(sizeClass, index)) {
        status = NOT_HELD;
        continue;
      }
      (this.#store.blocks[index] as JsBlock).state = 'free';
      k.depot.push(index);
      k.held--;
    }
    this.#serve();
    return status === 0 && (this.#requests.size > 0 || this.draining) ? WAITING : status;
  }

  map(sizeClass: number, block: number): Bytes {
    if (!this.holds(sizeClass, block)) throw new Error(`block ${block} is not held`);
    return (this.#store.blocks[block] as JsBlock).bytes as Bytes;
  }

  reclaim(sizeClass: number, block: number, bytes: Bytes): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    if (!takeBack(bytes, this.#store.class(sizeClass).capacity)) return OTHER_MEMORY;
    (this.#store.blocks[block] as JsBlock).bytes = bytes;
    return 0;
  }

  holds(sizeClass: number, block: number): boolean {
    const it = this.#store.blocks[block];
    return it !== undefined && it.state === 'held' && it.sizeClass === sizeClass;
  }

  retire(sizeClass: number, block: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#store.blocks[block] as JsBlock;
    it.state = 'retired';
    it.bytes = null;
    const k = this.#store.class(sizeClass);
    k.held--;
    k.retired++;
    this.#serve();
    return 0;
  }

  transfer(sizeClass: number, block: number, size: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#store.blocks[block] as JsBlock;
    const k = this.#store.class(sizeClass);
    it.state = 'in flight';
    it.handOver = (it.handOver + 1) % HAND_OVERS;
    it.size = Math.min(size, k.capacity);
    it.sentAt = now();
    k.held--;
    k.inFlight++;
    return it.handOver * TICKET_BLOCKS + block;
  }

  adopt(ticket: number): number {
    const block = ticket % TICKET_BLOCKS;
    const it = this.#store.blocks[block];
    const rest = Math.floor(ticket / TICKET_BLOCKS);
    if (it?.state !== 'in flight' || rest !== it.handOver) return STALE;
    const k = this.#store.class(it.sizeClass);
    it.state = 'held';
    k.inFlight--;
    k.held++;
    this.exchange[0] = block;
    this.exchange[CLASSES] = it.sizeClass;
    this.exchange[SIZES] = it.size;
    return 0;
  }

  detach(buffer: ArrayBuffer, block?: number): void {
    if (buffer.byteLength === 0) return; // its holder has done so
    const moved = move(buffer);
    if (block !== undefined) (this.#store.blocks[block] as JsBlock).bytes = ownMemory(Buffer.from(moved));
  }

  disown(block: number): void {
    (this.#store.blocks[block] as JsBlock).bytes = null;
  }

  get residentBytes(): number {
    return this.#store.residentBytes;
  }

  trim(cause: Cause): number {
    const bytes = this.#giveUpIdle(cause);
    this.#serve();
    return bytes;
  }

  #giveUpIdle(cause: Cause): number {
    return this.#store.ageOnce(cause) + this.#store.ageOnce(cause);
  }

  age(): number {
    const bytes = this.#store.ageOnce('decay');
    this.#serve();
    return bytes;
  }

  totals(): CoreTotals {
    return { ...this.#store.totals, waiting: this.#requests.size };
  }

  threads(): CoreThreadStats[] {
    return this.#store.threads();
  }

  inFlight(): CoreInFlight[] {
    return this.#store.inFlight();
  }

  stats(): CoreClassStats[] {
    return this.#store.stats();
  }

  checkInvariants(): string | null {
    return this.#store.checkInvariants();
  }

  pressure(): Pressure {
    return runtimePressure();
  }

  close(): void {
    this.#store.blocks.length = 0;
  }
}
