import { AsyncResource } from 'node:async_hooks';

/** Made with this package, and so outside of what its users run in. */
const resource = new AsyncResource('slabpool');

/**
 * Starts something, such as a timer, that is not the caller's: it keeps no store of an `AsyncLocalStorage` alive, and none is seen in
 * its callback.
 */
export function outside<T>(start: () => T): T {
  return resource.runInAsyncScope(start);
}
