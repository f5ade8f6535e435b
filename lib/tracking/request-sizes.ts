/** Sizes of 32 bytes and more have sixteen entries per doubling (as a power of two); smaller ones have one each. */
const STEPS_BITS = 4;

/** Request sizes are a histogram of how many bytes a thread's requests asked for. */
export class RequestSizes {
  readonly #counts = new Map<number, number>();

  /** `weight` requests of about `size` bytes. */
  add(size: number, weight: number): void {
    const last = size - 1;
    const bits = last < 2 ** 31 ? 32 - Math.clz32(last | 1) : 1 + Math.floor(Math.log2(last));
    const step = 2 ** Math.max(0, bits - 1 - STEPS_BITS);
    const upTo = Math.ceil(size / step) * step;
    this.#counts.set(upTo, (this.#counts.get(upTo) ?? 0) + weight);
  }

  /** The entries, by ascending size. */
  entries(): { size: number; count: number }[] {
    return [...this.#counts].sort(([a], [b]) => a - b).map(([size, count]) => ({ size, count }));
  }
}
