/** Answers of a {@link Core} that are not a count; the native core's `Status`, negated. */
export const EXHAUSTED = -1;
export const OUT_OF_MEMORY = -2;
export const NOT_HELD = -3;
export const STALE = -4;

/** Blocks that one batch has at the most, and half the length of {@link Core.exchange}. */
export const MAX_BATCH = 32;

/** What one class occupies in all threads, in blocks, and how this thread's refills were served. */
export interface CoreClassStats {
  /** Blocks that have an address, cold ones included. */
  carved: number;
  /** Blocks that have memory: out, free or retired. */
  resident: number;
  /** Blocks that threads hold: leased or in a magazine. */
  out: number;
  /** Blocks that one thread has handed over and none has adopted. */
  transit: number;
  /** Blocks of dead threads that are not yet free again. */
  resting: number;
  retired: number;
  slabs: number;
  /** This thread's refills by the step that served them, in the order of {@link STEPS}. */
  refills: number[];
  /** Bytes that one block is charged to the budget. */
  stride: number;
}

/** Where a refill found its batch, nearest first (the steps of Go's `sync.Pool` behind its `private`). */
export const STEPS = ['depot', 'steal', 'victim', 'cold', 'slab'] as const;
export type Step = (typeof STEPS)[number];

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
  /** Puts up to one batch into `exchange`: how many blocks, or {@link EXHAUSTED} or {@link OUT_OF_MEMORY}. */
  refill(sizeClass: number): number;
  /** Takes the first `count` blocks of `exchange` back: 0, or {@link NOT_HELD}. */
  flush(sizeClass: number, count: number): number;
  /** A Buffer over exactly the capacity of a block that this thread holds. */
  map(sizeClass: number, block: number): Buffer<ArrayBuffer>;
  /** Whether this thread holds the block. */
  holds(sizeClass: number, block: number): boolean;
  /** The block is never used again: 0, or {@link NOT_HELD}. */
  retire(sizeClass: number, block: number): number;
  /** The block leaves this thread: a ticket, or {@link NOT_HELD}. */
  transfer(sizeClass: number, block: number): number;
  /** The block of a ticket comes to this thread: 0, with the block and its class in `exchange`, or {@link STALE}. */
  adopt(ticket: number): number;
  /** What another thread joins by, or null where the core serves one thread only. */
  readonly address: CoreAddress | null;
  /** Takes the memory away from under an ArrayBuffer that {@link map} made. */
  detach(buffer: ArrayBuffer): void;
  /** All that is free gives its memory up: two epochs at once. The bytes given back. */
  trim(): number;
  /** One epoch: what was not used since the last one loses its memory. The bytes given back. */
  age(): number;
  /** What the budget is charged: at no moment above it, also while other threads work. */
  readonly residentBytes: number;
  stats(): CoreClassStats[];
  /** `null`, or the first thing that is wrong with the core's books. */
  checkInvariants(): string | null;
  /**
   * This thread is done. The last one gives all memory back, of blocks that are out as well; their views read zeros. What an
   * earlier one still held is free again after a rest.
   */
  close(): void;
}
