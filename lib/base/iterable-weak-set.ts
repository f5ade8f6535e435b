const FEW = 16;

/** An iterable weak set keeps none of its objects alive; those that were not collected can be gone through. */
export class IterableWeakSet<T extends object> {
  readonly #refs = new Set<WeakRef<T>>();
  readonly #refOf = new WeakMap<T, WeakRef<T>>();
  /** The size at which the set looks for objects that were collected: a constant time for each that is added. */
  #full = FEW;

  add(it: T): void {
    if (this.#refs.size >= this.#full) {
      for (const ref of this.#refs) if (ref.deref() === undefined) this.#refs.delete(ref);
      this.#full = Math.max(FEW, 2 * this.#refs.size);
    }
    const ref = new WeakRef(it);
    this.#refOf.set(it, ref);
    this.#refs.add(ref);
  }

  delete(it: T): void {
    const ref = this.#refOf.get(it);
    if (ref !== undefined) this.#refs.delete(ref);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const ref of this.#refs) {
      const it = ref.deref();
      if (it !== undefined) yield it;
    }
  }
}
