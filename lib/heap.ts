import { Block, BlockTable } from './block.js';
import { type Core, EXHAUSTED } from './core.js';
import { SlabPoolError } from './errors.js';
import { Magazine } from './magazine.js';
import type { ResolvedOptions } from './options.js';
import { Oversize } from './oversize.js';
import { BUCKETS, bucketOf, firstOfBucket } from './size-classes.js';

/**
 * This thread's share of a pool: a magazine per tier in front of the core, and the ArrayBuffers of the blocks that came by.
 * Everything here but the two lookups of {@link magazineFor} is off the hot path.
 */
export class Heap {
  readonly name: string;
  readonly magazines: readonly Magazine[];
  readonly oversize: Oversize;
  readonly #core: Core;
  readonly #options: ResolvedOptions;
  /** For each bucket of sizes the smallest tier that holds some of them. */
  readonly #byBucket: readonly Magazine[];
  readonly #table = new BlockTable();
  /** Acquires that the budget refused. */
  exhausted = 0;
  closed = false;

  constructor(core: Core, options: ResolvedOptions) {
    this.name = options.name;
    this.#core = core;
    this.#options = options;
    // Zeroing on release has to see each release.
    const limit = (c: number) => (options.zero === 'release' ? 0 : 2 * core.batch(c));
    this.magazines = options.tiers.map((capacity, c) => new Magazine(this, c, capacity, limit(c)));
    this.magazines.forEach((magazine, c) => {
      magazine.next = this.magazines[c + 1] ?? null;
    });
    this.oversize = new Oversize(this, options);
    this.#byBucket = Array.from(
      { length: Math.min(BUCKETS, bucketOf(options.maxPooledSize - 1) + 1) },
      (_, bucket) => this.magazines.find(({ capacity }) => capacity > firstOfBucket(bucket)) as Magazine,
    );
  }

  /** The magazine of the smallest tier with room for the byte at index `last`, which is below `maxPooledSize`. */
  magazineFor(last: number): Magazine {
    let magazine = this.#byBucket[bucketOf(last)] as Magazine;
    // At most one step for the default tiers; tiers of the caller's own may share a bucket.
    while (magazine.capacity <= last) magazine = magazine.next as Magazine;
    return magazine;
  }

  /** A block from the core, which is in the caller's hands; the rest of its batch is in the magazine, which was empty. */
  refill(magazine: Magazine): Block {
    this.assertOpen();
    const core = this.#core;
    const { sizeClass, blocks } = magazine;
    let count = core.refill(sizeClass);
    // Before it refuses, a pool has tried everything it may: idle blocks of other classes give their memory up.
    if (count === EXHAUSTED && this.trim() > 0) count = core.refill(sizeClass);
    if (count < 0) throw this.#refusal(magazine, count);

    const { exchange } = core;
    magazine.held += count;
    // The core names the warmest block first: it becomes the top of the stack.
    for (let i = 0; i < count; i++) blocks[count - 1 - i] = this.#blockAt(exchange[i] as number, magazine);
    magazine.count = count - 1;
    return blocks[count - 1] as Block;
  }

  /**
   * Another block for one that is unfit to be leased: its ArrayBuffer was detached after its release, through a view that
   * somebody kept.
   */
  replace(magazine: Magazine, unfit: Block): Block {
    let block = unfit;
    do {
      this.#retire(magazine, block);
      block = magazine.count > 0 ? (magazine.blocks[--magazine.count] as Block) : this.refill(magazine);
    } while (block.bytes.length !== block.capacity);
    return block;
  }

  #blockAt(index: number, magazine: Magazine): Block {
    const known = this.#table.get(index);
    if (known !== undefined) return known;
    const block = new Block(this.#core.map(magazine.sizeClass, index), index, magazine);
    this.#table.set(block);
    return block;
  }

  /** What {@link Magazine.put} does not do by itself. */
  putSlow(magazine: Magazine, block: Block): void {
    this.assertOpen();
    if (magazine === this.oversize.magazine) {
      this.oversize.drop(block);
      return;
    }
    if (block.bytes.length !== magazine.capacity) {
      this.#retire(magazine, block);
      return;
    }
    if (this.#options.zero === 'release') block.bytes.fill(0);
    const batch = this.#core.batch(magazine.sizeClass);
    if (magazine.count === 2 * batch) {
      this.#flush(magazine, batch);
    }
    magazine.blocks[magazine.count++] = block;
  }

  /** The holder detached the block's ArrayBuffer; whoever has the memory now may write to it for ever. */
  #retire(magazine: Magazine, block: Block): void {
    this.#core.retire(magazine.sizeClass, block.index);
    this.#table.delete(block.index);
    magazine.held--;
  }

  /** Gives the `count` coldest blocks of the magazine to the core, at most a batch. */
  #flush(magazine: Magazine, count: number): void {
    const { blocks } = magazine;
    const { exchange } = this.#core;
    for (let i = 0; i < count; i++) exchange[i] = (blocks[i] as Block).index;
    this.#core.flush(magazine.sizeClass, count);
    magazine.held -= count;
    magazine.count -= count;
    for (let i = 0; i < magazine.count; i++) blocks[i] = blocks[i + count] as Block;
  }

  /** Everything that is free goes back to the OS. The bytes given back. */
  trim(): number {
    this.assertOpen();
    for (const magazine of this.magazines) {
      while (magazine.count > 0) this.#flush(magazine, Math.min(magazine.count, this.#core.batch(magazine.sizeClass)));
      magazine.blocks.length = 0;
    }
    // Two epochs: depot to victim, victim to cold.
    const bytes = this.#core.age() + this.#core.age();
    this.#table.retain(({ index, magazine }) => this.#core.holds(magazine.sizeClass, index));
    return bytes;
  }

  /** Leases that this thread has out. */
  outstanding(): number {
    let leased = this.oversize.count;
    for (const { held, count } of this.magazines) leased += held - count;
    return leased;
  }

  /** Blocks that this thread has an ArrayBuffer for. */
  get mapped(): number {
    return this.#table.size;
  }

  get core(): Core {
    return this.#core;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    // Every acquire and release now takes the slow path, which finds the pool closed.
    for (const magazine of [...this.magazines, this.oversize.magazine]) {
      magazine.count = magazine.limit = magazine.blocks.length = 0;
    }
    this.#table.retain(() => false);
    this.#core.close();
  }

  assertOpen(): void {
    if (!this.closed) return;
    throw new SlabPoolError('ERR_SLABPOOL_CLOSED', 'it was closed; make a new BufferPool', { pool: this.name });
  }

  #refusal({ capacity }: Magazine, status: number): SlabPoolError {
    const maxBytes = this.#options.maxBytes;
    let residentBytes = 0;
    let outBytes = 0;
    let retiredBytes = 0;
    for (const { resident, out, retired, stride } of this.#core.stats()) {
      residentBytes += resident * stride;
      outBytes += out * stride;
      retiredBytes += retired * stride;
    }
    const cachedBytes = residentBytes - outBytes - retiredBytes;
    const details = { capacityBytes: capacity, maxBytes, outBytes, cachedBytes, retiredBytes };
    if (status !== EXHAUSTED) {
      return new SlabPoolError(
        'ERR_SLABPOOL_OUT_OF_MEMORY',
        `the system has no memory for a block of ${capacity} bytes`,
        {
          pool: this.name,
          details,
        },
      );
    }
    this.exhausted++;
    return new SlabPoolError(
      'ERR_SLABPOOL_EXHAUSTED',
      `a block of ${capacity} bytes does not fit the budget: of maxBytes ${maxBytes}, ${outBytes} are out, ` +
        `${cachedBytes} cached and ${retiredBytes} retired. Release leases sooner, or raise maxBytes`,
      { pool: this.name, details },
    );
  }
}
