import type { Block } from '../lease/block.js';
import type { Magazine } from '../lease/magazine.js';

/**
 * Blocks of leases that were collected unreleased. Somebody may still have their bytes, or the system may be writing to them: so each
 * comes back when its ArrayBuffer is collected as well, and gets a new one then.
 */
export class Adrift {
  readonly #blocks = new Map<number, { magazine: Magazine; buffer: WeakRef<ArrayBuffer> }>();
  readonly #ashore: FinalizationRegistry<number>;

  constructor(ashore: (magazine: Magazine, index: number) => void) {
    this.#ashore = new FinalizationRegistry((index) => {
      const adrift = this.#blocks.get(index);
      if (adrift === undefined) return; // Retired, or the pool was closed.
      this.#blocks.delete(index);
      ashore(adrift.magazine, index);
    });
  }

  add({ magazine, index, buffer }: Block): void {
    this.#blocks.set(index, { magazine, buffer: new WeakRef(buffer) });
    this.#ashore.register(buffer, index);
  }

  /** Those whose holders detached their ArrayBuffers. What becomes of one is not seen once it is collected. */
  *takeDetached(): Generator<{ magazine: Magazine; index: number }> {
    for (const [index, { magazine, buffer }] of this.#blocks) {
      if (buffer.deref()?.byteLength !== 0) continue;
      this.#blocks.delete(index);
      yield { magazine, index };
    }
  }
}
