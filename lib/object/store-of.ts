import type { ObjectStore } from './object-store.js';

/** By pool: what is private to a pool is open to the rest of this package, and to its tests. */
// biome-ignore lint/suspicious/noExplicitAny: of whatever objects
const stores = new WeakMap<object, ObjectStore<any>>();

/** The store behind a pool; undefined for anything else. */
// biome-ignore lint/suspicious/noExplicitAny: of whatever objects
export function storeOf(pool: unknown): ObjectStore<any> | undefined {
  return stores.get(pool as object);
}

export function setStore<T extends object>(pool: object, store: ObjectStore<T>): void {
  stores.set(pool, store);
}
