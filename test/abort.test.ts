import { getEventListeners } from 'node:events';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { abortReason, isAbortSignal, onAbort } from '../dist/base/abort.js';

/** What polyfills were before `reason` and `throwIfAborted()`. */
class OldSignal extends EventTarget {
  aborted = false;

  abort(): void {
    this.aborted = true;
    this.dispatchEvent(new Event('abort'));
  }
}

describe('C: signals', () => {
  test('are told by their shape', () => {
    const { signal } = new AbortController();
    const foreign = runInNewContext('Object.create(own, {})', { own: signal });
    for (const value of [signal, AbortSignal.abort(), new OldSignal(), foreign])
      expect(isAbortSignal(value)).toBe(true);
    for (const value of [null, undefined, 1, {}, { aborted: false }, new EventTarget(), new AbortController()]) {
      expect(isAbortSignal(value)).toBe(false);
    }
  });

  test('a signal that knows no reason has one', () => {
    expect(abortReason(AbortSignal.abort('why'))).toBe('why');
    expect(abortReason(new OldSignal() as unknown as AbortSignal)).toMatchObject({ name: 'AbortError' });
  });

  test('a thousand waits on one signal are one listener, and none when they have ended', () => {
    const { signal } = new AbortController();
    const ends = Array.from({ length: 1000 }, () => onAbort(signal, () => {}));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const end of ends) end();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    onAbort(signal, () => {})();
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('each wait is told once, unless it has ended, also by another that is told', () => {
    const controller = new AbortController();
    const told: number[] = [];
    const ends = [0, 1, 2, 3].map((i) =>
      onAbort(controller.signal, () => {
        told.push(i);
        if (i === 1) ends[2]?.();
      }),
    );
    ends[0]?.();
    controller.abort();
    controller.abort();
    for (const end of ends) end();
    expect(told).toEqual([1, 3]);
  });
});
