import type { Bytes } from '../base/runtime.js';
import type { Pressure } from './pressure.js';

/** Answers of a {@link Core} that are not a count; the native core's `Status`, negated. */
export const EXHAUSTED = -1;
export const OUT_OF_MEMORY = -2;
export const NOT_HELD = -3;
export const STALE = -4;
export const QUEUE_FULL = -5;
export const DRAINING = -6;

/** What {@link Core.reclaim} says of bytes that are not the block's. */
export const OTHER_MEMORY = 1;

/** The most blocks that one batch has. */
export const MAX_BATCH = 32;

/** Where in {@link Core.exchange} the classes of the blocks before are, and the bytes of them that are used. */
export const CLASSES = MAX_BATCH;
export const SIZES = 2 * MAX_BATCH;
/** Where a refill says which of {@link STEPS} served it. */
export const STEP = 3 * MAX_BATCH;
/** Where a refill says how many KiB of idle blocks gave their memory up for it. */
export const RECLAIMED = STEP + 1;
export const EXCHANGE_LENGTH = RECLAIMED + 1;

/** Those options of a pool that its core goes by. */
export interface CoreOptions {
  readonly tiers: readonly number[];
  readonly maxBytes: number;
  readonly minBytes: number;
  readonly epochMs: number;
}

/** Bits of what a flush answers: somebody waits for budget; this thread has a {@link FLUSH_REQUESTS flush request}. */
export const WAITING = 1;
export const FLUSH_REQUESTED = 2;

/**
 * Flush requests, which ask threads to flush their magazines; and then to trim the pool, as somebody wishes or because memory is
 * short; or to acquire nothing any more, and to look whether the pool is drained. The greater includes the less.
 */
export const FLUSH_REQUESTS = { flush: 1, trim: 2, pressure: 3, drain: 4 } as const;
export type FlushRequest = keyof typeof FLUSH_REQUESTS;

/** Why memory was given back: unused for two epochs, `trim()`, room for another tier, or memory that is short. */
export type Cause = 'decay' | 'trim' | 'exhausted' | 'pressure';
/** All causes, in the order of the native core's `Cause`. */
export const CAUSES: readonly Cause[] = ['decay', 'trim', 'exhausted', 'pressure'];

/** What one class occupies in all threads, in blocks, and what they did. */
export interface CoreClassStats {
  /** Blocks that have an address, cold ones included. */
  carved: number;
  /** Blocks that have memory: held, in flight, in quarantine, free or retired. */
  resident: number;
  /** Bytes that the budget is charged: whole pages, on the native core. */
  residentBytes: number;
  /** Resident bytes of blocks without memory: their pages are resident because of neighbors. */
  pinnedBytes: number;
  /** Blocks that threads hold: leased or in a magazine. */
  held: number;
  /** Blocks that one thread has handed over and none has adopted. */
  inFlight: number;
  /** Blocks of dead threads that are not free again before an epoch has passed. */
  quarantined: number;
  retired: number;
  slabs: number;
  /** Blocks that are free, and unused for an epoch. */
  victim: number;
  /** The most bytes that were resident at once. */
  peakResidentBytes: number;
  /** Held blocks that are in magazines, as far as published. */
  cached: number;
  /** Leases, as far as published. */
  acquires: number;
  /** Refills by the step that served them, in the order of {@link STEPS}. */
  refills: number[];
  /** Bytes from one block to the next. */
  stride: number;
}

/** Figures of a pool, of all threads. */
export interface CoreTotals {
  /** Requests that ever waited. */
  waits: number;
  waiting: number;
  peakWaiting: number;
  peakResidentBytes: number;
  /** Acquires that were refused. */
  refused: number;
  /** Bytes given back, in the order of {@link CAUSES}. */
  dropped: number[];
  /** System calls that giving back took. */
  dropCalls: number;
}

/** Figures of one thread, over all classes. */
export interface CoreThreadStats {
  index: number;
  held: number;
  heldBytes: number;
  /** Held blocks that are in magazines, as far as published. */
  cached: number;
  cachedBytes: number;
  acquires: number;
  refills: number[];
  /** Whether it is the thread that asks. */
  here: boolean;
}

/** Blocks that one thread has sent and nobody has adopted; or those in channels. */
export interface CoreInFlight {
  /** The sender's index, or -1: what travels by channels, or was granted to those who wait. */
  sender: number;
  count: number;
  /** Milliseconds, about. */
  oldestMs: number;
  /** Whether it is the thread that asks. */
  here: boolean;
}

/**
 * Where a refill found its batch: in a depot, in one of other threads, among blocks unused for an epoch, among blocks
 * without memory, or in a new slab.
 */
export type Step = 'depot' | 'steal' | 'victim' | 'cold' | 'slab';
/** All steps, nearest first (those of Go's `sync.Pool` behind its `private`). */
export const STEPS: readonly Step[] = ['depot', 'steal', 'victim', 'cold', 'slab'];
/** The places of `cold` and `slab` in {@link STEPS}. */
export const COLD = 3;
export const SLAB = 4;

/** An address says where a native pool, or a channel, is to be found in this process. */
export interface CoreAddress {
  /** Which copy of the addon. */
  readonly copyId: string;
  readonly slot: number;
  readonly serial: number;
}

/** A block source lends blocks by the batch, out of the budget, and takes them back. */
export interface BlockSource {
  /** Memory through which batches cross, in both directions. */
  readonly exchange: Uint32Array;
  /** Whether a block keeps its address, and so its ArrayBuffer, whether it has memory or not. */
  readonly stableAddresses: boolean;
  /** Blocks in a full batch of the class, 1 to {@link MAX_BATCH}. */
  batch(sizeClass: number): number;
  /**
   * Puts up to one batch into `exchange`: how many blocks, or {@link EXHAUSTED}, {@link OUT_OF_MEMORY} or {@link DRAINING}. Idle blocks of other
   * classes give their memory up for it.
   */
  refill(sizeClass: number): number;
  /**
   * From now on `count` blocks of the class are free and have memory, if the budget has room for those that are missing: nothing is
   * given up for them. How many there are, or, below `count`, could be: then nothing was done. Or {@link EXHAUSTED}, since others
   * wait, {@link OUT_OF_MEMORY} or {@link DRAINING}.
   */
  warm(sizeClass: number, count: number): number;
  /** Puts up to `most` blocks that are free and have memory into `exchange`, at most a batch. It is no refill. How many. */
  takeFree(sizeClass: number, most: number): number;
  /** Takes the first `count` blocks of `exchange` back: {@link WAITING} and {@link FLUSH_REQUESTED}, or {@link NOT_HELD}. */
  flush(sizeClass: number, count: number): number;
  /** A Buffer over exactly the capacity of a block that this thread holds. */
  map(sizeClass: number, block: number): Bytes;
  /**
   * The bytes of a block that this thread holds are in `bytes` from now on, all of its ArrayBuffer: 0; {@link OTHER_MEMORY}, if they
   * are not the block's; or {@link NOT_HELD}. The TypeScript core cannot compare memory: it takes what has the block's length, unless
   * it has given it out or taken it before.
   */
  reclaim(sizeClass: number, block: number, bytes: Bytes): number;
  /** Whether this thread holds the block. */
  holds(sizeClass: number, block: number): boolean;
  /** The block is never used again: 0, or {@link NOT_HELD}. */
  retire(sizeClass: number, block: number): number;
  /**
   * Takes the memory away from under an ArrayBuffer. The block that it was over, if there is one, gets another by {@link map},
   * over the same bytes.
   */
  detach(buffer: ArrayBuffer, block?: number): void;
  /** Somebody unknown may still use the block's ArrayBuffer, until it is collected; then the block can be given back. */
  disown(block: number): void;
  countRefusal(): void;
  /**
   * This thread is done, and has no lease out. What it still has is free again after a quarantine; the last one gives all memory back,
   * but what ArrayBuffers are still over.
   */
  close(): void;
}

/** A hand-over moves blocks from one thread to another. */
export interface HandOver {
  /** What another thread joins by, or null where the core serves one thread only. */
  readonly address: CoreAddress | null;
  /** Null where the core serves one thread only. */
  readonly channels: Channels | null;
  /** The block leaves this thread, with `size` of its bytes used: a ticket, or {@link NOT_HELD}. */
  transfer(sizeClass: number, block: number, size: number): number;
  /** The block of a ticket comes to this thread: 0, with the block, its class and its size in `exchange`, or {@link STALE}. */
  adopt(ticket: number): number;
}

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
  /**
   * From now on a message wakes this endpoint: by its `onNotify`, or by the thread that sends if this one will block. Before
   * `onNotify(ARRIVED)` the message is taken, and the receiver is disarmed.
   */
  armReceiver(blocking: boolean): void;
  armSender(): void;
  disarmReceiver(): void;
  disarmSender(): void;
  /** By who has blocked: wakes another endpoint if there is more than was taken. As {@link trySend}. */
  passOn(): number;
  /** Whether it keeps the thread alive while it is armed, other than to block. At first it does. */
  ref(): void;
  unref(): void;
  close(): void;
  leave(): void;
}

/** A place says how a channel is made (`capacity` in messages), or where it is found. */
export type ChannelPlace = { capacity: number; holdOpen: boolean } | { address: CoreAddress };

/** Channels of one pool. */
export interface Channels {
  /** The tags of the messages that are in `exchange`. */
  readonly tags: Float64Array;
  /** This thread's endpoint. Throws errors with codes: `addonError()`. */
  open(notifier: Notifier, place: ChannelPlace): CoreChannel;
}

/** Endpoints are told that a message has arrived, as by {@link CoreChannel.tryReceive}; or, from `WAKE` on, which blocked one to wake. */
export const ARRIVED = 1;
export const WAKE = 2;

/** A notifiable is told, in a turn of the event loop of its own, that other threads have something for it. */
export interface Notifiable {
  notified(what?: number): void;
}

/** A notifier is kept alive by the addon, and keeps only what is {@link kept}: a dropped listener can be collected. */
export class Notifier {
  listener: WeakRef<Notifiable> | undefined;
  /** The listener while it must not be collected. */
  kept: Notifiable | undefined;
  readonly onNotify = (what?: number) => (this.kept ?? this.listener?.deref())?.notified(what);
}

/** A budget queue has the requests that wait for budget, and what threads ask of each other. */
export interface BudgetQueue {
  /** Notifies of grants, and of flush requests. */
  listen(listener: WeakRef<Notifiable>): void;
  /** Requests that wait, of all threads. While there are any, no refill gets anything. */
  readonly waiting: number;
  /**
   * A place in the queue for one block, which this thread will find with {@link collect}: its number, or {@link OUT_OF_MEMORY}, or
   * {@link QUEUE_FULL} where `most` wait already, or {@link DRAINING}.
   */
  wait(sizeClass: number, most: number): number;
  /** Gives a place up; false when it has been served. */
  cancel(number: number): boolean;
  /** The number of a request that was served, its block and class in `exchange`; negative: there is no memory; 0: none was. */
  collect(): number;
  /** What this thread was asked to do, once: one of {@link FLUSH_REQUESTS}, or 0. */
  takeFlushRequest(): number;
  /** Asks all other threads. */
  requestFlush(what: FlushRequest): void;
  /** From now on nothing is given out, to no thread; each of them is asked to flush. */
  drain(): void;
  readonly draining: boolean;
  /** Nothing is held any more, as all threads are told by another flush request. */
  readonly drained: boolean;
  /** Whether anything may still serve this thread's requests of which it is not the cause itself: another thread, or time. */
  readonly othersMayServe: boolean;
}

/** Reclaim gives memory back to the operating system. */
export interface Reclaim {
  /** Whether epochs come by themselves, also while no thread of the pool does anything. */
  readonly agesItself: boolean;
  /** One epoch: what was not used since the last one loses its memory. The bytes given back. */
  age(): number;
  /** All that is free gives its memory up: two epochs at once. The bytes given back. */
  trim(cause: Cause): number;
  /** Has it trimmed by somebody else, as soon as possible: the janitor thread. */
  trimSoon(): void;
  /** Of the first `count` blocks of `exchange`, those that have no memory now, put first: how many. */
  areCold(count: number): number;
}

/** Figures are what the core has counted. */
export interface Figures {
  /** What the budget is charged: at no moment above it, also while other threads work. */
  readonly residentBytes: number;
  /** How short memory is: what was seen within the last two seconds, or now. */
  pressure(): Pressure;
  /** Counters of a magazine that are in `exchange`: leases since the last time (low and high word), and blocks in it now. */
  publishCounters(sizeClass: number): void;
  stats(): CoreClassStats[];
  totals(): CoreTotals;
  threads(): CoreThreadStats[];
  /** A walk through all blocks. */
  inFlight(): CoreInFlight[];
  /** `null`, or the first thing that is wrong with the core's books. */
  checkInvariants(): string | null;
}

/**
 * A core stands behind the magazines: it hands out batches of blocks and takes them back. A block is a number; a class
 * is the index of its tier. The native addon and a TypeScript implementation are interchangeable.
 */
export interface Core extends BlockSource, HandOver, BudgetQueue, Reclaim, Figures {}
