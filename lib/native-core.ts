import { type Core, type CoreClassStats, STEPS } from './core.js';

/** What the addon exports (native/binding/addon.cc). */
export interface Addon {
  Pool: new (capacities: Uint32Array, maxBytes: number) => NativePool;
  /** Absent where the runtime allows no external buffers. */
  exchange?: Uint32Array;
  /** SHA-256 of the sources that it was built from. */
  sourceHash: string;
}

interface NativePool extends Omit<Core, 'exchange' | 'stats' | 'map'> {
  map(sizeClass: number, block: number): Buffer<ArrayBuffer> | number | undefined;
  /** Writes {@link FIELDS} numbers per class. */
  stats(into: Float64Array): void;
}

const FIELDS = 6 + STEPS.length;

/** The native core of one pool, as seen from this thread. */
export class NativeCore implements Core {
  readonly exchange: Uint32Array;
  readonly #pool: NativePool;
  readonly #classes: number;

  constructor(addon: Addon & { exchange: Uint32Array }, capacities: readonly number[], maxBytes: number) {
    this.#pool = new addon.Pool(Uint32Array.from(capacities), maxBytes);
    this.#classes = capacities.length;
    this.exchange = addon.exchange;
  }

  batch(sizeClass: number): number {
    return this.#pool.batch(sizeClass);
  }

  refill(sizeClass: number): number {
    return this.#pool.refill(sizeClass);
  }

  flush(sizeClass: number, count: number): number {
    return this.#pool.flush(sizeClass, count);
  }

  map(sizeClass: number, block: number): Buffer<ArrayBuffer> {
    const bytes = this.#pool.map(sizeClass, block);
    if (typeof bytes !== 'object') throw new Error(`the addon cannot map block ${block}: ${bytes}`);
    return bytes;
  }

  holds(sizeClass: number, block: number): boolean {
    return this.#pool.holds(sizeClass, block);
  }

  retire(sizeClass: number, block: number): number {
    return this.#pool.retire(sizeClass, block);
  }

  age(): number {
    return this.#pool.age();
  }

  stats(): CoreClassStats[] {
    const numbers = new Float64Array(FIELDS * this.#classes);
    this.#pool.stats(numbers);
    return Array.from({ length: this.#classes }, (_, c) => {
      const [carved, resident, out, retired, slabs, ...rest] = numbers.subarray(c * FIELDS, (c + 1) * FIELDS);
      const stride = rest.pop();
      return { carved, resident, out, retired, slabs, refills: rest, stride } as CoreClassStats;
    });
  }

  checkInvariants(): string | null {
    return this.#pool.checkInvariants();
  }

  close(): void {
    this.#pool.close();
  }
}
