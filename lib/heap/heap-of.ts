import type { Heap } from './heap.js';

/** By pool: what is private to a pool is open to the rest of this package, and to its tests. */
const heaps = new WeakMap<object, Heap>();

/** This thread's heap behind a pool; undefined for anything else. */
export function heapOf(pool: unknown): Heap | undefined {
  return heaps.get(pool as object);
}

export function setHeap(pool: object, heap: Heap): void {
  heaps.set(pool, heap);
}
