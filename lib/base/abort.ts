import { invalidArg } from '../errors.js';

/** Tells an abort signal by its shape: those of other realms and polyfills pass, as with Node's own functions. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' && typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  );
}

/**
 * @param what the public function that was called, whose option it is
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkSignal(what: string, signal: AbortSignal | undefined, pool?: string): void {
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw invalidArg(`${what}, option 'signal'`, 'an AbortSignal', signal, pool);
  }
}

/** The reason why the signal was aborted. Polyfills may not know it. */
export function abortReason(signal: AbortSignal): unknown {
  return signal.reason ?? new DOMException('This operation was aborted', 'AbortError');
}

/** @throws the signal's reason, if it is aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortReason(signal);
}

/** A fan has one listener for all that wait for a signal, since a signal that is shared warns of many. */
class Fan {
  readonly calls = new Set<() => void>();
  readonly listener = () => {
    for (const call of this.calls) call();
    this.calls.clear();
  };
}

const fans = new WeakMap<AbortSignal, Fan>();

/**
 * Calls `call` once when the signal, which is not aborted yet, is.
 * @param call its own for each wait; throws nothing
 * @returns what ends that
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  const fan = fans.get(signal) ?? new Fan();
  fans.set(signal, fan);
  if (fan.calls.size === 0) signal.addEventListener('abort', fan.listener, { once: true });
  fan.calls.add(call);
  return () => {
    // A signal without listeners may be collected, also one that is waiting for its time.
    if (fan.calls.delete(call) && fan.calls.size === 0) signal.removeEventListener('abort', fan.listener);
  };
}
