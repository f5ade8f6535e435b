import { AsyncResource } from 'node:async_hooks';
import { hrtime } from 'node:process';

/** A Buffer with an ArrayBuffer of its own: `Buffer<ArrayBuffer>`, or just `Buffer` in older types of Node.js. */
export type Bytes = ReturnType<typeof Buffer.alloc>;

/** Milliseconds since some time, with fractions. Not the global `performance`, which simulated browsers and fake timers replace. */
export function now(): number {
  return Number(hrtime.bigint()) / 1e6;
}

/** The asynchronous context of this package, which is made when it is loaded, and so is none of its users'. */
const resource = new AsyncResource('slabpool');

/**
 * Starts something, such as a timer, that is not the caller's: it keeps no store of an `AsyncLocalStorage` alive, and none is seen in
 * its callback.
 */
export function outside<T>(start: () => T): T {
  return resource.runInAsyncScope(start);
}
