import { type Bytes, outside } from '../base/runtime.js';
import { internal, SlabPoolError } from '../errors.js';
import type { LoadedAddon, NativePool } from './addon.js';
import {
  CAUSES,
  type Cause,
  type ChannelPlace,
  type Channels,
  type Core,
  type CoreAddress,
  type CoreChannel,
  type CoreClassStats,
  type CoreInFlight,
  type CoreOptions,
  type CoreThreadStats,
  type CoreTotals,
  FLUSH_REQUESTS,
  type FlushRequest,
  type Notifiable,
  Notifier,
  OUT_OF_MEMORY,
  STEPS,
} from './core.js';
import type { Pressure } from './pressure.js';

/** The order of a row of figures: these, then the refills by step, then those. */
const BEFORE_REFILLS = [
  ...['carved', 'resident', 'held', 'inFlight', 'quarantined', 'retired', 'slabs', 'victim'],
  ...['peakResidentBytes', 'cached', 'acquires'],
];
const AFTER_REFILLS = ['stride', 'residentBytes', 'pinnedBytes'];
const FIELDS = BEFORE_REFILLS.length + STEPS.length + AFTER_REFILLS.length;

/**
 * NativeCore is the native core of one pool, as seen from this thread.
 *
 * What       Gives the addon's calls the names and types of {@link Core}: statuses stay numbers, rows of numbers become
 *            objects.
 * Callers    The heap and its parts. The pool behind it has other threads, each with a NativeCore of its own.
 * Ownership  The addon keeps the pool while any thread has it; it keeps the notifier alive, and that nothing else.
 */
export class NativeCore implements Core, Channels {
  readonly exchange: Uint32Array;
  readonly address: CoreAddress;
  readonly stableAddresses = true;
  /** The janitor thread does it. */
  readonly agesItself = true;
  readonly channels = this;
  readonly tags: Float64Array;
  readonly #addon: LoadedAddon;
  readonly #pool: NativePool;
  readonly #classes: number;
  readonly #notifier: Notifier;

  private constructor(addon: LoadedAddon, pool: NativePool, classes: number, notifier: Notifier) {
    this.#addon = addon;
    this.#notifier = notifier;
    this.#pool = pool;
    this.#classes = classes;
    this.exchange = addon.exchange;
    this.tags = addon.tags;
    this.address = { copyId: addon.copyId, slot: pool.slot, serial: pool.serial };
  }

  static create(addon: LoadedAddon, { tiers, maxBytes, epochMs, minBytes }: CoreOptions): NativeCore {
    const notifier = new Notifier();
    const pool = outside(() => new addon.Pool(notifier.onNotify, Uint32Array.from(tiers), maxBytes, epochMs, minBytes));
    return new NativeCore(addon, pool, tiers.length, notifier);
  }

  /** The core of a pool that another thread made; null when it is another pool than these options describe. */
  static join(addon: LoadedAddon, { slot, serial }: CoreAddress, capacities: readonly number[], maxBytes: number) {
    const notifier = new Notifier();
    const pool = outside(() => new addon.Pool(notifier.onNotify, slot, serial));
    if (pool.isLike(Uint32Array.from(capacities), maxBytes))
      return new NativeCore(addon, pool, capacities.length, notifier);
    pool.close();
    return null;
  }

  batch(sizeClass: number): number {
    return this.#pool.batch(sizeClass);
  }

  refill(sizeClass: number): number {
    return this.#pool.refill(sizeClass);
  }

  warm(sizeClass: number, count: number): number {
    return this.#pool.warm(sizeClass, count);
  }

  takeFree(sizeClass: number, most: number): number {
    return this.#pool.takeFree(sizeClass, most);
  }

  flush(sizeClass: number, count: number): number {
    return this.#pool.flush(sizeClass, count);
  }

  map(sizeClass: number, block: number): Bytes {
    const bytes = this.#pool.map(sizeClass, block);
    if (bytes === OUT_OF_MEMORY) {
      throw new SlabPoolError('ERR_SLABPOOL_OUT_OF_MEMORY', 'the system has no memory for the ArrayBuffer of a block');
    }
    if (typeof bytes === 'number') throw internal('map', bytes, { sizeClass, block });
    if (bytes === undefined) throw new Error(`the addon cannot map block ${block}: ${bytes}`);
    return bytes;
  }

  reclaim(sizeClass: number, block: number, bytes: Bytes): number {
    return this.#pool.reclaim(sizeClass, block, bytes);
  }

  holds(sizeClass: number, block: number): boolean {
    return this.#pool.holds(sizeClass, block);
  }

  retire(sizeClass: number, block: number): number {
    return this.#pool.retire(sizeClass, block);
  }

  open(notifier: Notifier, place: ChannelPlace): CoreChannel {
    const { Channel } = this.#addon;
    return outside(() =>
      'capacity' in place
        ? new Channel(this.#pool, notifier.onNotify, place.capacity, place.holdOpen)
        : new Channel(this.#pool, notifier.onNotify, place.address.slot, place.address.serial),
    );
  }

  transfer(sizeClass: number, block: number, size: number): number {
    return this.#pool.transfer(sizeClass, block, size);
  }

  adopt(ticket: number): number {
    return this.#pool.adopt(ticket);
  }

  detach(buffer: ArrayBuffer, block?: number): void {
    if (block === undefined) this.#addon.detach(buffer);
    else this.#pool.detach(buffer, block);
  }

  /** The memory stays where it is, whoever has an ArrayBuffer over it. */
  disown(): void {}

  age(): number {
    return this.#pool.age();
  }

  trim(cause: Cause): number {
    return this.#pool.trim(CAUSES.indexOf(cause));
  }

  trimSoon(): void {
    this.#pool.trimSoon();
  }

  publishCounters(sizeClass: number): void {
    this.#pool.publishCounters(sizeClass);
  }

  listen(listener: WeakRef<Notifiable>): void {
    this.#notifier.listener = listener;
  }

  get waiting(): number {
    return this.#pool.waiting;
  }

  wait(sizeClass: number, most: number): number {
    return this.#pool.wait(sizeClass, most);
  }

  cancel(number: number): boolean {
    return this.#pool.cancel(number);
  }

  collect(): number {
    return this.#pool.collect();
  }

  takeFlushRequest(): number {
    return this.#pool.takeFlushRequest();
  }

  requestFlush(what: FlushRequest): void {
    this.#pool.requestFlush(FLUSH_REQUESTS[what]);
  }

  drain(): void {
    this.#pool.drain();
  }

  get draining(): boolean {
    return this.#pool.draining;
  }

  get drained(): boolean {
    return this.#pool.drained;
  }

  get othersMayServe(): boolean {
    return this.#pool.othersMayServe;
  }

  countRefusal(): void {
    this.#pool.countRefusal();
  }

  areCold(count: number): number {
    return this.#pool.areCold(count);
  }

  get residentBytes(): number {
    return this.#pool.residentBytes;
  }

  stats(): CoreClassStats[] {
    const numbers = new Float64Array(FIELDS * this.#classes);
    this.#pool.stats(numbers);
    return Array.from({ length: this.#classes }, (_, c) => {
      const row = [...numbers.subarray(c * FIELDS, (c + 1) * FIELDS)];
      const named = (names: readonly string[]) => names.map((name) => [name, row.shift()] as const);
      const before = named(BEFORE_REFILLS);
      const refills = row.splice(0, STEPS.length);
      return { ...Object.fromEntries([...before, ...named(AFTER_REFILLS)]), refills } as unknown as CoreClassStats;
    });
  }

  totals(): CoreTotals {
    const [waits, waiting, peakWaiting, peakResidentBytes, refused, ...dropped] = this.#pool.totals();
    const dropCalls = dropped.pop();
    return { waits, waiting, peakWaiting, peakResidentBytes, refused, dropped, dropCalls } as CoreTotals;
  }

  threads(): CoreThreadStats[] {
    return this.#pool.threads().map((row) => {
      const [index, held, heldBytes, cached, cachedBytes, acquires, ...refills] = row;
      const here = refills.pop() === 1;
      return { index, held, heldBytes, cached, cachedBytes, acquires, refills, here } as CoreThreadStats;
    });
  }

  inFlight(): CoreInFlight[] {
    return this.#pool.inFlight().map((row) => {
      const [sender, count, oldestMs, here] = row;
      return { sender, count, oldestMs, here: here === 1 } as CoreInFlight;
    });
  }

  pressure(): Pressure {
    return this.#pool.pressure();
  }

  checkInvariants(): string | null {
    return this.#pool.checkInvariants();
  }

  close(): void {
    this.#pool.close();
  }
}
