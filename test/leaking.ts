import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout } from 'node:timers/promises';
import type { LeakEvent } from 'slabpool';
import { afterEach, beforeEach, expect } from 'vitest';

export const gc = globalThis.gc as () => void;

/** Collects garbage, and lets finalizers run, until that is true. */
export async function collectedUntil(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) {
    gc();
    await setTimeout(1);
  }
  expect(done()).toBe(true);
}

/** A few turns with collections in them, for what is not to happen. */
export async function collect(): Promise<void> {
  for (let i = 0; i < 10; i++) {
    gc();
    await setTimeout(1);
  }
}

/** In each test of a file that calls this: what is published of leaks, and the subscriber that hears of it. */
export function leakEvents(): { events: LeakEvent[]; listen: (event: unknown) => void } {
  const events: LeakEvent[] = [];
  const listen = (event: unknown) => void events.push(event as LeakEvent);
  beforeEach(() => {
    events.length = 0;
    subscribe('slabpool:leak', listen);
  });
  afterEach(() => unsubscribe('slabpool:leak', listen));
  return { events, listen };
}
