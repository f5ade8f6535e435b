import type { Heap } from './heap.js';

const heaps = new WeakMap<object, Heap>();

/** This thread's heap behind a pool; undefined for anything else. */
export function heapOf(pool: unknown): Heap | undefined {
  return heaps.get(pool as object);
}

export function setHeap(pool: object, heap: Heap): void {
  heaps.set(pool, heap);
}
