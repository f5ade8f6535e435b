import { type Finalizer, unwatch, watch } from '../base/finalization.js';
import type { Bytes } from '../base/runtime.js';
import { ownMemory, takeBack } from '../core/runtime-memory.js';
import { SlabPoolError } from '../errors.js';
import { events, type Outbox, type OversizeEvent } from '../events.js';
import { Block, Magazine, OVERSIZE } from '../lease/magazine.js';
import type { ResolvedOptions } from '../options.js';
import type { Tracker, TrackerOwner } from '../tracking/tracker.js';

/**
 * Oversize serves requests above `maxPooledSize`: by ordinary buffers of the runtime behind the same lease, counted,
 * capped, and dropped to the garbage collector on release. Go's, .NET's and Netty's pools do the same with what is too
 * large to keep.
 *
 * Callers    The heap and {@link BudgetWaiters}. One thread: the cap is each thread's own.
 * Ownership  The lease has the buffer. A forgotten one stays charged until its ArrayBuffer is collected.
 * Identity   `leasedBytes` == sum of the sizes of oversize leases that are out, and `leasedBytes` <=
 *            `maxOversizeBytes`.
 */
export class Oversize implements Finalizer<number> {
  /** Counts acquires. Each lease has a magazine of its own, which keeps nothing: so its release comes to {@link drop}. */
  readonly magazine: Magazine;
  readonly #pool: string;
  readonly #outbox: Outbox;
  readonly #tracker: Tracker;
  readonly #discharged: () => void;
  readonly #maxBytes: number;
  readonly #zero: ResolvedOptions['zero'];
  /** Leases that are out. */
  count = 0;
  /** Leases that were released or forgotten. */
  dropped = 0;
  leasedBytes = 0;
  peakBytes = 0;
  refused = 0;

  /** @param discharged there is more room than before */
  constructor(
    owner: TrackerOwner,
    tracker: Tracker,
    { maxOversizeBytes, zero }: ResolvedOptions,
    discharged: () => void,
  ) {
    this.#pool = owner.name;
    this.#outbox = owner.outbox;
    this.#tracker = tracker;
    this.#discharged = discharged;
    this.#maxBytes = maxOversizeBytes;
    this.#zero = zero;
    this.magazine = new Magazine(owner, OVERSIZE, 0, 0, false);
  }

  fits(size: number): boolean {
    return size <= this.#maxBytes - this.leasedBytes;
  }

  /** Whether it would fit if nothing else were out. */
  everFits(size: number): boolean {
    return size <= this.#maxBytes;
  }

  make(size: number): Block {
    if (!this.fits(size)) {
      this.refused++;
      this.#note(size, false);
      throw new SlabPoolError(
        'ERR_SLABPOOL_OVERSIZE',
        `${size} bytes are above the largest tier and do not fit: of maxOversizeBytes ${this.#maxBytes}, ` +
          `${this.leasedBytes} are out in ${this.count} leases. Release them sooner, or raise maxOversizeBytes or maxPooledSize`,
        {
          pool: this.#pool,
          details: { sizeBytes: size, maxOversizeBytes: this.#maxBytes, leasedBytes: this.leasedBytes },
        },
      );
    }
    const own = new Magazine(this.magazine.owner, OVERSIZE, size, 0, false);
    const block = this.#watched(ownMemory(this.#allocate(size)), own);
    this.count++;
    this.leasedBytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.leasedBytes);
    const leased = --this.magazine.untilSample === 0 ? this.#tracker.sample(this.magazine, block, size) : block;
    this.#note(size, true);
    return leased;
  }

  #watched(bytes: Bytes, own: Magazine): Block {
    // The ArrayBuffer, not the lease: somebody may still have a view, and with it the memory.
    watch(bytes.buffer, this, own.capacity, own);
    return new Block(bytes, -1, own);
  }

  /** The bytes of a leased block are in these now, as its holder says: the block to go on with, or null if they are not. */
  reclaim({ magazine, capacity }: Block, bytes: Bytes): Block | null {
    if (!takeBack(bytes, capacity)) return null;
    unwatch(magazine);
    return this.#watched(bytes, magazine);
  }

  #note(size: number, served: boolean): void {
    this.#outbox.add(events.oversize, {
      pool: this.#pool,
      size,
      leasedBytes: this.leasedBytes,
      served,
    } satisfies OversizeEvent);
  }

  #allocate(size: number): Bytes {
    try {
      return this.#zero === 'acquire' ? Buffer.from(new ArrayBuffer(size)) : Buffer.allocUnsafeSlow(size);
    } catch (cause) {
      throw new SlabPoolError('ERR_SLABPOOL_OUT_OF_MEMORY', `the runtime cannot allocate ${size} bytes`, {
        pool: this.#pool,
        details: { sizeBytes: size },
        cause,
      });
    }
  }

  drop(block: Block): void {
    if (this.#zero === 'release' && block.bytes.length > 0) block.bytes.fill(0);
    unwatch(block.magazine);
    this.#discharge(block.capacity);
  }

  /** A lease was forgotten: its memory comes back to the runtime, so its charge comes back as well. */
  finalize(size: number): void {
    this.#discharge(size);
  }

  #discharge(size: number): void {
    this.count--;
    this.leasedBytes -= size;
    this.dropped++;
    this.#discharged();
  }
}
