const observables = new WeakSet<object>();

/** Has exporters and viewers take `pool`, of whatever kind it is: it has a `name` and `stats()`. */
export function setObservable(pool: object): void {
  observables.add(pool);
}

export function isObservable(value: unknown): boolean {
  return observables.has(value as object);
}
