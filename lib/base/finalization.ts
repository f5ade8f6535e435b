/** Hears of objects that were collected. */
export interface Finalizer<T> {
  finalize(held: T): void;
}

/**
 * The one registry of this thread, which is never collected. V8, up to that of Node 24, never calls a finalizer of the thread again, whosever
 * it is, once any registry was collected after a collection has made one of its calls due, and before the call.
 */
const registry = new FinalizationRegistry<{ finalizer: Finalizer<unknown>; held: unknown }>(({ finalizer, held }) =>
  finalizer.finalize(held),
);

/**
 * Has `finalizer` hear of it when `target` has been collected, unless {@link unwatch} is called before. As long as the target is alive, both
 * `finalizer` and `held` are: so neither may refer to it.
 */
export function watch<T>(target: object, finalizer: Finalizer<T>, held: T, token: object): void {
  registry.register(target, { finalizer: finalizer as Finalizer<unknown>, held }, token);
}

/** @param token what was given to {@link watch} */
export function unwatch(token: object): void {
  registry.unregister(token);
}
