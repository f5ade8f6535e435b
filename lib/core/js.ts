import { setImmediate } from 'node:timers';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import type { Bytes } from '../base/runtime.js';
import { now, outside } from '../base/runtime.js';
import {
  CAUSES,
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
  MAX_BATCH,
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
  type Step,
  WAITING,
} from './core.js';
import { type Pressure, runtimePressure } from './pressure.js';
import { ownMemory, takeBack } from './runtime-memory.js';

const KIB = 1024;
const BATCH_BYTES = 128 * KIB;
const SHORT_BATCH = 4;
const BUDGET_BATCHES = 16;
/** A ticket is the block's number, plus this many times the number of the hand-over: below 2^53. */
const TICKET_BLOCKS = 2 ** 25;
/** Hand-overs of a block are counted from a random number on, and modulo this one. So tickets of other pools are good by chance only. */
const HAND_OVERS = 2 ** 28;

/** Where a block is, as in native/core/block.h. */
type State = 'cold' | 'free' | 'held' | 'in flight' | 'retired';

interface JsBlock {
  readonly sizeClass: number;
  state: State;
  /** Number of its last hand-over: that ticket is good while the block is in transit. */
  handOver: number;
  /** When the last ticket was made. */
  sentAt: number;
  /** What the last ticket's sender used, in bytes. */
  size: number;
  /** Memory; `null` while cold, and once it was disowned. */
  bytes: Bytes | null;
}

class JsClass {
  readonly batch: number;
  /** Free blocks, in use lately. */
  depot: number[] = [];
  /** Free blocks, unused for an epoch. */
  victim: number[] = [];
  /** Blocks without memory. */
  cold: number[] = [];
  carved = 0;
  resident = 0;
  held = 0;
  inFlight = 0;
  retired = 0;
  /** As published. */
  cached = 0;
  acquires = 0;
  peakResidentBytes = 0;
  readonly refills = Object.fromEntries(STEPS.map((step) => [step, 0])) as Record<Step, number>;

  constructor(
    readonly capacity: number,
    maxBytes: number,
  ) {
    const within = (bytes: number) => Math.min(bytes, maxBytes / BUDGET_BATCHES) / capacity;
    const most = Math.max(within(BATCH_BYTES), Math.min(within(2 * BATCH_BYTES), SHORT_BATCH));
    this.batch = Math.min(MAX_BATCH, 2 ** Math.floor(Math.log2(Math.max(1, most))));
  }
}

/**
 * The core without an addon: one thread, memory from V8, the same books as the native core. What it cannot do is align
 * blocks, give pages back while their views stay valid, or show one block to several threads.
 */
export class JsCore implements Core {
  readonly exchange = new Uint32Array(EXCHANGE_LENGTH);
  readonly address = null;
  readonly channels = null;
  readonly stableAddresses = false;
  readonly agesItself = false;
  readonly #classes: JsClass[];
  readonly #blocks: JsBlock[] = [];
  readonly #maxBytes: number;
  readonly #minBytes: number;
  #residentBytes = 0;
  /** Classes of the requests that wait, by their numbers, in the order of arrival. */
  readonly #requests = new Map<number, number>();
  #lastNumber = 0;
  /** Requests that were served, whose blocks are in transit; without a ticket where there was no memory. */
  readonly #grants: { number: number; sizeClass: number; ticket: number }[] = [];
  #listener: WeakRef<Notifiable> | undefined;
  readonly #totals: CoreTotals = {
    waits: 0,
    waiting: 0,
    peakWaiting: 0,
    peakResidentBytes: 0,
    refused: 0,
    dropped: CAUSES.map(() => 0),
    dropCalls: 0,
  };
  draining = false;
  drained = false;
  #flushRequest = 0;

  constructor({ tiers, maxBytes, minBytes }: Omit<CoreOptions, 'epochMs'>) {
    this.#maxBytes = maxBytes;
    this.#minBytes = minBytes;
    this.#classes = tiers.map((capacity) => new JsClass(capacity, maxBytes));
  }

  batch(sizeClass: number): number {
    return this.#class(sizeClass).batch;
  }

  refill(sizeClass: number): number {
    const k = this.#class(sizeClass);
    if (this.draining) return DRAINING;
    let count = this.#requests.size > 0 ? EXHAUSTED : this.#refill(k, sizeClass, k.batch);
    this.exchange[RECLAIMED] = 0;
    if (count === EXHAUSTED && this.#requests.size === 0) {
      const given = this.#giveUpIdle('exhausted');
      count = this.#refill(k, sizeClass, k.batch);
      this.exchange[RECLAIMED] = given / KIB;
    }
    if (count > 0) k.acquires++; // the first one is leased at once
    return count;
  }

  warm(sizeClass: number, count: number): number {
    if (this.draining) return DRAINING;
    if (this.#requests.size > 0) return EXHAUSTED;
    const k = this.#class(sizeClass);
    const free = k.depot.length + k.victim.length;
    const possible = free + this.#room(k);
    this.exchange[STEP] = STEPS.indexOf('depot');
    if (possible < count) return possible;
    const missing = Math.max(0, count - free);
    if (missing > k.cold.length) {
      this.#carve(k, sizeClass, missing - k.cold.length);
      this.exchange[STEP] = STEPS.indexOf('slab');
    }
    const numbers = k.cold.slice(k.cold.length - missing);
    const blocks = numbers.map((index) => this.#blocks[index] as JsBlock);
    try {
      for (const block of blocks) block.bytes = ownMemory(Buffer.from(new ArrayBuffer(k.capacity)));
    } catch {
      for (const block of blocks) block.bytes = null;
      return OUT_OF_MEMORY;
    }
    for (const block of blocks) block.state = 'free';
    k.cold.length -= missing;
    k.depot = k.depot.concat(numbers);
    this.#charge(k, missing);
    return count;
  }

  takeFree(sizeClass: number, most: number): number {
    const k = this.#class(sizeClass);
    if (this.draining || this.#requests.size > 0) return 0;
    return this.#handOut(k, k.depot.length > 0 ? k.depot : k.victim, most);
  }

  #room(k: JsClass): number {
    return Math.floor((this.#maxBytes - this.#residentBytes) / k.capacity);
  }

  #refill(k: JsClass, sizeClass: number, most: number): number {
    for (const step of ['depot', 'victim'] as const) {
      if (k[step].length !== 0) return this.#count(k, step, this.#handOut(k, k[step], most));
    }
    const room = this.#room(k);
    if (room === 0) return EXHAUSTED;
    const step = k.cold.length === 0 ? 'slab' : 'cold';
    if (step === 'slab') this.#carve(k, sizeClass, Math.min(room, k.batch));
    return this.#count(k, step, this.#handOut(k, k.cold, Math.min(room, most)));
  }

  #carve(k: JsClass, sizeClass: number, count: number): void {
    for (let i = 0; i < count; i++) {
      const handOver = Math.floor(Math.random() * HAND_OVERS);
      k.cold.push(this.#blocks.push({ sizeClass, state: 'cold', handOver, sentAt: 0, size: 0, bytes: null }) - 1);
    }
    k.carved += count;
  }

  #handOut(k: JsClass, from: number[], most: number): number {
    const count = Math.min(most, from.length);
    for (let i = 0; i < count; i++) {
      const index = from.pop() as number;
      const block = this.#blocks[index] as JsBlock;
      if (block.bytes === null) {
        try {
          block.bytes = ownMemory(Buffer.from(new ArrayBuffer(k.capacity)));
        } catch {
          from.push(index);
          return i === 0 ? OUT_OF_MEMORY : i;
        }
      }
      if (block.state === 'cold') this.#charge(k, 1);
      block.state = 'held';
      k.held++;
      this.exchange[i] = index;
    }
    return count;
  }

  /** So many blocks have memory from now on. */
  #charge(k: JsClass, count: number): void {
    this.#residentBytes += count * k.capacity;
    k.resident += count;
    k.peakResidentBytes = Math.max(k.peakResidentBytes, k.resident * k.capacity);
    this.#totals.peakResidentBytes = Math.max(this.#totals.peakResidentBytes, this.#residentBytes);
  }

  /** A refill was served, unless there was no memory. */
  #count(k: JsClass, step: Step, count: number): number {
    if (count <= 0) return count;
    k.refills[step]++;
    this.exchange[STEP] = STEPS.indexOf(step);
    return count;
  }

  publishCounters(sizeClass: number): void {
    const k = this.#class(sizeClass);
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
    this.#class(sizeClass);
    if (this.draining) return DRAINING;
    if (this.#requests.size >= most) return QUEUE_FULL;
    const number = ++this.#lastNumber;
    this.#requests.set(number, sizeClass);
    this.#totals.waits++;
    this.#totals.peakWaiting = Math.max(this.#totals.peakWaiting, this.#requests.size);
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
      // Somebody guessed the ticket: it waits again, in its old place.
      const others = [...this.#requests];
      this.#requests.clear();
      for (const [each, its] of [[number, sizeClass] as const, ...others]) this.#requests.set(each, its);
      this.#serve();
    }
    return 0;
  }

  /** In the order of arrival, as far as it goes. */
  #serve(): void {
    if (this.draining) {
      if (this.drained || this.#classes.some(({ held, inFlight }) => held + inFlight > 0)) return;
      this.drained = true;
      this.#flushRequest = FLUSH_REQUESTS.drain;
      this.#notify();
      return;
    }
    for (const [number, sizeClass] of this.#requests) {
      const k = this.#class(sizeClass);
      // The caller's blocks may still be in the exchange.
      const kept = this.exchange[0] as number;
      let count = this.#refill(k, sizeClass, 1);
      if (count === EXHAUSTED) {
        this.#giveUpIdle('exhausted');
        count = this.#refill(k, sizeClass, 1);
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

  readonly othersMayServe = false;

  countRefusal(): void {
    this.#totals.refused++;
  }

  areCold(count: number): number {
    const cold = this.exchange.subarray(0, count).filter((block) => this.#blocks[block]?.state === 'cold');
    this.exchange.set(cold);
    return cold.length;
  }

  flush(sizeClass: number, count: number): number {
    const k = this.#class(sizeClass);
    let status = 0;
    for (let i = 0; i < count; i++) {
      const index = this.exchange[i] as number;
      if (!this.holds(sizeClass, index)) {
        status = NOT_HELD;
        continue;
      }
      (this.#blocks[index] as JsBlock).state = 'free';
      k.depot.push(index);
      k.held--;
    }
    this.#serve();
    return status === 0 && (this.#requests.size > 0 || this.draining) ? WAITING : status;
  }

  map(sizeClass: number, block: number): Bytes {
    if (!this.holds(sizeClass, block)) throw new Error(`block ${block} is not held`);
    return (this.#blocks[block] as JsBlock).bytes as Bytes;
  }

  reclaim(sizeClass: number, block: number, bytes: Bytes): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    if (!takeBack(bytes, this.#class(sizeClass).capacity)) return OTHER_MEMORY;
    (this.#blocks[block] as JsBlock).bytes = bytes;
    return 0;
  }

  holds(sizeClass: number, block: number): boolean {
    const it = this.#blocks[block];
    return it !== undefined && it.state === 'held' && it.sizeClass === sizeClass;
  }

  retire(sizeClass: number, block: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#blocks[block] as JsBlock;
    it.state = 'retired';
    it.bytes = null;
    const k = this.#class(sizeClass);
    k.held--;
    k.retired++;
    this.#serve();
    return 0;
  }

  transfer(sizeClass: number, block: number, size: number): number {
    if (!this.holds(sizeClass, block)) return NOT_HELD;
    const it = this.#blocks[block] as JsBlock;
    const k = this.#class(sizeClass);
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
    const it = this.#blocks[block];
    const rest = Math.floor(ticket / TICKET_BLOCKS);
    if (it?.state !== 'in flight' || rest !== it.handOver) return STALE;
    const k = this.#class(it.sizeClass);
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
    if (block !== undefined) (this.#blocks[block] as JsBlock).bytes = ownMemory(Buffer.from(moved));
  }

  disown(block: number): void {
    (this.#blocks[block] as JsBlock).bytes = null;
  }

  get residentBytes(): number {
    return this.#residentBytes;
  }

  trim(cause: Cause): number {
    const bytes = this.#giveUpIdle(cause);
    this.#serve();
    return bytes;
  }

  #giveUpIdle(cause: Cause): number {
    return this.#ageOnce(cause) + this.#ageOnce(cause);
  }

  age(): number {
    const bytes = this.#ageOnce('decay');
    this.#serve();
    return bytes;
  }

  #ageOnce(cause: Cause): number {
    const least = cause === 'decay' ? this.#minBytes : 0;
    let bytes = 0;
    for (const k of this.#classes) {
      const most = Math.max(0, Math.floor((this.#residentBytes - bytes - least) / k.capacity));
      for (const index of k.victim.splice(0, most)) {
        const block = this.#blocks[index] as JsBlock;
        block.state = 'cold';
        block.bytes = null;
        k.cold.push(index);
        k.resident--;
        bytes += k.capacity;
      }
      k.victim = k.victim.concat(k.depot);
      k.depot = [];
    }
    this.#residentBytes -= bytes;
    const dropped = this.#totals.dropped as number[];
    dropped[CAUSES.indexOf(cause)] = (dropped[CAUSES.indexOf(cause)] as number) + bytes;
    return bytes;
  }

  totals(): CoreTotals {
    return { ...this.#totals, waiting: this.#requests.size };
  }

  threads(): CoreThreadStats[] {
    const all = this.stats();
    const sum = (figure: (k: CoreClassStats) => number) => all.reduce((total, k) => total + figure(k), 0);
    return [
      {
        index: 0,
        held: sum((k) => k.held),
        heldBytes: sum((k) => k.held * k.stride),
        cached: sum((k) => k.cached),
        cachedBytes: sum((k) => k.cached * k.stride),
        acquires: sum((k) => k.acquires),
        refills: STEPS.map((_, i) => sum((k) => k.refills[i] as number)),
        here: true,
      },
    ];
  }

  inFlight(): CoreInFlight[] {
    const sent = this.#blocks.filter(({ state }) => state === 'in flight');
    if (sent.length === 0) return [];
    const oldestMs = now() - sent.reduce((first, { sentAt }) => Math.min(first, sentAt), Infinity);
    return [{ sender: 0, count: sent.length, oldestMs, here: true }];
  }

  pressure(): Pressure {
    return runtimePressure();
  }

  stats(): CoreClassStats[] {
    return this.#classes.map((k) => ({
      carved: k.carved,
      resident: k.resident,
      held: k.held,
      inFlight: k.inFlight,
      quarantined: 0,
      retired: k.retired,
      slabs: 0,
      victim: k.victim.length,
      peakResidentBytes: k.peakResidentBytes,
      residentBytes: k.resident * k.capacity,
      pinnedBytes: 0,
      cached: k.cached,
      acquires: k.acquires,
      refills: STEPS.map((step) => k.refills[step]),
      stride: k.capacity,
    }));
  }

  checkInvariants(): string | null {
    const found = this.#blocks.map(() => 0);
    for (const k of this.#classes) {
      for (const [list, state] of [
        [k.depot, 'free'],
        [k.victim, 'free'],
        [k.cold, 'cold'],
      ] as const) {
        for (const index of list) {
          found[index]++;
          if (this.#blocks[index]?.state !== state) return "a block's state is not that of the list it is in";
        }
      }
      if (k.resident !== k.held + k.inFlight + k.depot.length + k.victim.length + k.retired)
        return 'resident != held + in flight + cached + retired';
      if (k.carved !== k.resident + k.cold.length) return 'carved != resident + cold';
    }
    const wrong = this.#blocks.some(({ state }, i) => found[i] !== (state === 'free' || state === 'cold' ? 1 : 0));
    if (wrong) return 'a block is not in exactly one place';
    const bytes = this.#classes.reduce((sum, k) => sum + k.resident * k.capacity, 0);
    return bytes === this.#residentBytes && bytes <= this.#maxBytes ? null : 'the budget does not add up';
  }

  close(): void {
    this.#blocks.length = 0;
  }

  #class(sizeClass: number): JsClass {
    const k = this.#classes[sizeClass];
    if (k === undefined) throw new RangeError(`size class ${sizeClass} is out of range`);
    return k;
  }
}

let mover: MessageChannel | undefined;

/** The memory under a new ArrayBuffer. Not by `structuredClone()`, which is missing where a browser is simulated. */
function move(buffer: ArrayBuffer): ArrayBuffer {
  mover ??= outside(() => new MessageChannel());
  mover.port1.postMessage(buffer, [buffer]);
  return receiveMessageOnPort(mover.port2)?.message;
}
