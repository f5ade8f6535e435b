import type { Bytes } from '../base/bytes.js';
import { outside } from '../base/outside.js';
import { internal, SlabPoolError } from '../errors.js';
import type { ResolvedOptions } from '../options.js';
import {
  CAUSES,
  type Cause,
  type Core,
  type CoreAddress,
  type CoreClassStats,
  type CoreInFlight,
  type CoreThreadStats,
  type CoreTotals,
  OUT_OF_MEMORY,
  STEPS,
} from './core.js';
import type { Pressure } from './pressure.js';

/** What the addon exports (native/binding/addon.cc). */
export interface Addon {
  Pool: {
    new (onMail: () => void, capacities: Uint32Array, maxBytes: number, epochMs: number, minBytes: number): NativePool;
    /** Joins a pool. All throw errors with codes: see failures.ts. */
    new (onMail: () => void, slot: number, serial: number): NativePool;
  };
  /** Absent where the runtime allows no external buffers. */
  exchange?: Uint32Array;
  Channel: {
    new (pool: NativePool, onWake: () => void, capacity: number, holdOpen: boolean): CoreChannel;
    /** Joins a channel. */
    new (pool: NativePool, onWake: () => void, slot: number, serial: number): CoreChannel;
  };
  /** The two numbers of each message that is sent or was received last. Absent like `exchange`. */
  meta?: Float64Array;
  detach(buffer: ArrayBuffer): void;
  /** This thread comes to its end by itself: what it has sent is good for ever, in all its pools. */
  sayFarewell(): void;
  /**
   * For tests: what says how short memory is (`/proc/meminfo`, cgroups) is read below this folder from now on, in the whole
   * process; `''` is the root.
   */
  setMemoryRoot(folder: string): void;
  /** Bytes: the system's, or what {@link setPageSize} says. */
  pageSize(): number;
  /** For tests, before the first pool of the process: pages count as larger than they are. A power of two, up to 64 KiB. */
  setPageSize(bytes: number): void;
  /** Differs between copies of the addon in one process. */
  copyId: string;
  /** SHA-256 of the sources that it was built from. */
  sourceHash: string;
}

/** An addon on a runtime that allows external buffers. */
export type LoadedAddon = Addon & { exchange: Uint32Array; meta: Float64Array };

/** This thread's endpoint of a channel (native/binding/channel_binding.h). Answers below 0 are -1 - Result. */
export interface CoreChannel {
  readonly slot: number;
  readonly serial: number;
  readonly endpoint: number;
  readonly peers: number;
  readonly size: number;
  readonly closed: boolean;
  /** The first of `exchange`: 0, or 1 + the endpoint of a blocked thread to wake, or below 0. */
  trySend(): number;
  /** 0, with the block, its class and its size in `exchange`; or below 0. */
  tryReceive(): number;
  /**
   * The first `count` of `exchange`: how many were sent, each with 0, or 1 + the endpoint of a blocked thread to wake, in the
   * place of its class; or below 0.
   */
  trySendMany(count: number): number;
  /** How many there are in `exchange`, or below 0. */
  tryReceiveMany(most: number): number;
  /** From now on a message wakes this endpoint: by its `onWake`, or by the thread that sends if this one will block. */
  armReceiver(blocking: boolean): void;
  armSender(): void;
  disarmReceiver(): void;
  disarmSender(): void;
  /** By who was woken: wakes another endpoint if there is more than was taken. As {@link trySend}. */
  passOn(toReceivers: boolean, toSenders: boolean): number;
  ref(): void;
  unref(): void;
  close(): void;
  leave(): void;
}

type Adapted = 'stats' | 'totals' | 'threads' | 'inFlight' | 'map' | 'listen' | 'trim';
interface NativePool extends Omit<Core, 'exchange' | 'address' | 'detach' | 'disown' | Adapted> {
  /** Whether it was made with these. */
  isLike(capacities: Uint32Array, maxBytes: number): boolean;
  readonly slot: number;
  readonly serial: number;
  map(sizeClass: number, block: number): Bytes | number | undefined;
  detach(buffer: ArrayBuffer, block: number): void;
  trim(cause: number): number;
  /** Writes {@link FIELDS} numbers per class. */
  stats(into: Float64Array): void;
  totals(): Float64Array;
  threads(): Float64Array[];
  inTransit(): Float64Array[];
}

const FIELDS = 14 + STEPS.length;

/** The addon keeps this alive, and this nothing but what is {@link kept}: what is dropped can be collected. */
export class MailSlot {
  listener: WeakRef<{ mail(): void }> | undefined;
  /** The listener while it must not be collected. */
  kept: { mail(): void } | undefined;
  readonly onMail = () => this.listener?.deref()?.mail();
}

/** The native core of one pool, as seen from this thread. */
export class NativeCore implements Core {
  readonly exchange: Uint32Array;
  readonly address: CoreAddress;
  readonly #addon: LoadedAddon;
  readonly #pool: NativePool;
  readonly #classes: number;
  readonly #slot: MailSlot;

  private constructor(addon: LoadedAddon, pool: NativePool, classes: number, slot: MailSlot) {
    this.#addon = addon;
    this.#slot = slot;
    this.#pool = pool;
    this.#classes = classes;
    this.exchange = addon.exchange;
    this.address = { copyId: addon.copyId, slot: pool.slot, serial: pool.serial };
  }

  static create(
    addon: LoadedAddon,
    { tiers, maxBytes, epochMs, minBytes }: Pick<ResolvedOptions, 'tiers' | 'maxBytes' | 'epochMs' | 'minBytes'>,
  ): NativeCore {
    const mail = new MailSlot();
    const pool = outside(() => new addon.Pool(mail.onMail, Uint32Array.from(tiers), maxBytes, epochMs, minBytes));
    return new NativeCore(addon, pool, tiers.length, mail);
  }

  /** Null when it is another pool than these options describe. */
  static join(addon: LoadedAddon, { slot, serial }: CoreAddress, capacities: readonly number[], maxBytes: number) {
    const mail = new MailSlot();
    const pool = outside(() => new addon.Pool(mail.onMail, slot, serial));
    if (pool.isLike(Uint32Array.from(capacities), maxBytes))
      return new NativeCore(addon, pool, capacities.length, mail);
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

  get meta(): Float64Array {
    return this.#addon.meta;
  }

  /** This thread's endpoint of a new channel, or of one that there is. Throws errors with codes: see failures.ts. */
  channel(mail: MailSlot, at: { capacity: number; holdOpen: boolean } | { address: CoreAddress }): CoreChannel {
    const { Channel } = this.#addon;
    return outside(() =>
      'capacity' in at
        ? new Channel(this.#pool, mail.onMail, at.capacity, at.holdOpen)
        : new Channel(this.#pool, mail.onMail, at.address.slot, at.address.serial),
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

  report(sizeClass: number): void {
    this.#pool.report(sizeClass);
  }

  listen(listener: WeakRef<{ mail(): void }>): void {
    this.#slot.listener = listener;
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

  takeSummons(): number {
    return this.#pool.takeSummons();
  }

  summonOthers(what: number): void {
    this.#pool.summonOthers(what);
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
      const row = numbers.subarray(c * FIELDS, (c + 1) * FIELDS);
      const [
        carved,
        resident,
        held,
        inFlight,
        quarantined,
        retired,
        slabs,
        victim,
        peakResidentBytes,
        cached,
        acquires,
      ] = row;
      const refills = [...row.subarray(11, 11 + STEPS.length)];
      const [stride, residentBytes, pinnedBytes] = row.subarray(11 + STEPS.length);
      const places = {
        carved,
        resident,
        held,
        inFlight,
        quarantined,
        retired,
        slabs,
        victim,
        peakResidentBytes,
        cached,
      };
      return { ...places, acquires, refills, stride, residentBytes, pinnedBytes } as CoreClassStats;
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
    return this.#pool.inTransit().map((row) => {
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
