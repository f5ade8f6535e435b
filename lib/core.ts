/** Answers of a {@link Core} that are not a count; the native core's `Status`, negated. */
export const EXHAUSTED = -1;
export const OUT_OF_MEMORY = -2;
export const NOT_HELD = -3;

/** Blocks that one batch has at the most, and the length of {@link Core.exchange}. */
export const MAX_BATCH = 32;

/** What one class occupies, in blocks, and how its refills were served. */
export interface CoreClassStats {
  /** Blocks that have an address, cold ones included. */
  carved: number;
  /** Blocks that have memory: out, free or retired. */
  resident: number;
  /** Blocks that threads hold: leased or in a magazine. */
  out: number;
  retired: number;
  slabs: number;
  /** Refills by the step that served them, in the order of {@link STEPS}. */
  refills: number[];
  /** Bytes that one block is charged to the budget. */
  stride: number;
}

/** Where a refill found its batch, nearest first (the steps of Go's `sync.Pool` behind its `private`). */
export const STEPS = ['depot', 'steal', 'victim', 'cold', 'slab'] as const;
export type Step = (typeof STEPS)[number];

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
  /** One epoch: what was not used since the last one loses its memory. The bytes given back. */
  age(): number;
  stats(): CoreClassStats[];
  /** `null`, or the first thing that is wrong with the core's books. */
  checkInvariants(): string | null;
  /** Gives all memory back, of blocks that are out as well; their views read zeros. */
  close(): void;
}
