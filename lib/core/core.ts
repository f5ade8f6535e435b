import type { Bytes } from '../base/bytes.js';
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

/** Blocks that one batch has at the most. */
export const MAX_BATCH = 32;

/** Where in {@link Core.exchange} the classes of the blocks before are, and the bytes of them that are used. */
export const CLASSES = MAX_BATCH;
export const SIZES = 2 * MAX_BATCH;
/** Where a refill says which of {@link STEPS} served it. */
export const STEP = 3 * MAX_BATCH;
/** And how many KiB of idle blocks gave their memory up for it. */
export const RECLAIMED = STEP + 1;
export const EXCHANGE_LENGTH = RECLAIMED + 1;

/** What a flush says besides: somebody waits for budget; this thread is summoned. */
export const WAITING = 1;
export const SUMMONED = 2;

/**
 * What threads are asked to do: to flush their magazines, and to trim the pool then; or to acquire nothing any more, and to look whether
 * the pool is drained. The greater includes the less.
 */
export const SUMMONS_FLUSH = 1;
export const SUMMONS_TRIM = 2;
export const SUMMONS_PRESSURE = 3;
export const SUMMONS_DRAIN = 4;

/** Why memory was given back, in the order of the native core's `Cause`. */
export const CAUSES = ['decay', 'trim', 'exhausted', 'pressure'] as const;
export type Cause = (typeof CAUSES)[number];

/** What one class occupies in all threads, in blocks, and what they did. */
export interface CoreClassStats {
  /** Blocks that have an address, cold ones included. */
  carved: number;
  /** Blocks that have memory: out, free or retired. */
  resident: number;
  /** What the budget is charged: whole pages, on the native core. */
  residentBytes: number;
  /** Of these, bytes of blocks without memory: their pages are resident because of neighbours. */
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
  /** Of the blocks held, those in magazines, as far as reported. */
  cached: number;
  /** Leases, as far as reported. */
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
  /** System calls that this took. */
  dropCalls: number;
}

/** Figures of one thread, over all classes. */
export interface CoreThreadStats {
  index: number;
  held: number;
  heldBytes: number;
  /** Of these, in magazines, as far as reported. */
  cached: number;
  cachedBytes: number;
  acquires: number;
  refills: number[];
  /** Whether it is the one that asks. */
  here: boolean;
}

/** What one thread has sent, and nobody has adopted; or what is in channels. */
export interface CoreInFlight {
  /** The sender's index, or -1: what travels by channels, or was granted to those who wait. */
  sender: number;
  count: number;
  /** Milliseconds, about. */
  oldestMs: number;
  /** Whether it is the thread that asks. */
  here: boolean;
}

/** Where a refill found its batch, nearest first (the steps of Go's `sync.Pool` behind its `private`). */
export const STEPS = ['depot', 'steal', 'victim', 'cold', 'slab'] as const;
export type Step = (typeof STEPS)[number];
/** The places of `cold` and `slab` in {@link STEPS}. */
export const COLD = 3;
export const SLAB = 4;

/** Where a native pool is to be found in this process. */
export interface CoreAddress {
  /** Which copy of the addon. */
  readonly copyId: string;
  readonly slot: number;
  readonly serial: number;
}

/**
 * What stands behind the magazines: hands out batches of blocks and takes them back. A block is a number; a class is the
 * index of its tier. The native addon and a TypeScript implementation are interchangeable.
 */
export interface Core {
  /** Through which batches cross, in both directions. */
  readonly exchange: Uint32Array;
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
  /** Takes the first `count` blocks of `exchange` back: {@link WAITING} and {@link SUMMONED}, or {@link NOT_HELD}. */
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
  /** The block leaves this thread, with `size` of its bytes used: a ticket, or {@link NOT_HELD}. */
  transfer(sizeClass: number, block: number, size: number): number;
  /** The block of a ticket comes to this thread: 0, with the block, its class and its size in `exchange`, or {@link STALE}. */
  adopt(ticket: number): number;
  /** What another thread joins by, or null where the core serves one thread only. */
  readonly address: CoreAddress | null;
  /**
   * Takes the memory away from under an ArrayBuffer. The block that it was over, if there is one, gets another by {@link map},
   * over the same bytes.
   */
  detach(buffer: ArrayBuffer, block?: number): void;
  /** Somebody unknown may still use the block's ArrayBuffer, until it is collected; then the block can be given back. */
  disown(block: number): void;
  /** Tells of a magazine: leases since it did so last (low and high word), and blocks in it now, are in `exchange`. */
  report(sizeClass: number): void;
  /** How this thread is told that it has mail: grants, or a summons. Calls `mail()` in a turn of the event loop of its own. */
  listen(listener: WeakRef<{ mail(): void }>): void;
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
  /** What this thread was asked to do, once. */
  takeSummons(): number;
  summonOthers(what: number): void;
  /** From now on nothing is given out, to no thread; each of them is summoned. */
  drain(): void;
  readonly draining: boolean;
  /** Nothing is out any more, as all threads are told by another summons. */
  readonly drained: boolean;
  /** Whether anything may still serve this thread's requests of which it is not the cause itself: another thread, or time. */
  readonly othersMayServe: boolean;
  countRefusal(): void;
  /** Of the first `count` blocks of `exchange`, those that have no memory now, put first: how many. */
  areCold(count: number): number;
  /** All that is free gives its memory up: two epochs at once. The bytes given back. */
  trim(cause: Cause): number;
  /** The same, by somebody else, as soon as possible. */
  trimSoon(): void;
  /** One epoch: what was not used since the last one loses its memory. The bytes given back. */
  age(): number;
  /** What the budget is charged: at no moment above it, also while other threads work. */
  readonly residentBytes: number;
  /** How short memory is: what was seen within the last two seconds, or now. */
  pressure(): Pressure;
  stats(): CoreClassStats[];
  totals(): CoreTotals;
  threads(): CoreThreadStats[];
  /** A walk through all blocks. */
  inFlight(): CoreInFlight[];
  /** `null`, or the first thing that is wrong with the core's books. */
  checkInvariants(): string | null;
  /**
   * This thread is done, and has no lease out. What it still has is free again after a rest; the last one gives all memory back, but
   * what ArrayBuffers are still over.
   */
  close(): void;
}
