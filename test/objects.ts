import { ObjectPool, type ObjectPoolOptions } from 'slabpool/object';
import { expect } from 'vitest';
import type { ObjectStore } from '../dist/object/object-store.js';
import { storeOf as behind } from '../dist/object/store-of.js';

/** What a pool of these tests has: numbered, with what was done to it. */
export class Thing {
  resets = 0;
  destroyed = 0;
  size = 0;
  constructor(readonly number: number) {}
}

/** The store behind a pool: an epoch ends with its `turn()`. */
export function storeOf(pool: ObjectPool<Thing>): ObjectStore<Thing> {
  return behind(pool) as ObjectStore<Thing>;
}

/** A pool of things, and all that it has made. Epochs end by `turn()` alone, unless options say otherwise. */
export function thingPool(options: Partial<ObjectPoolOptions<Thing>> = {}) {
  const made: Thing[] = [];
  const pool = new ObjectPool<Thing>({
    name: 'things',
    create: () => {
      const thing = new Thing(made.length);
      made.push(thing);
      return thing;
    },
    reset: (thing) => {
      thing.resets++;
    },
    destroy: (thing) => {
      thing.destroyed++;
    },
    epochMs: 0,
    ...options,
  });
  return { pool, made, turn: () => storeOf(pool).turn() };
}

/** All that holds of a pool at any time. */
export function checkBooks(pool: ObjectPool<Thing>): void {
  const stats = pool.stats();
  const { acquires, hits, misses, created, idle, victims, maxIdle, outstanding, dropped, drops, leaks, peak } = stats;
  expect(created).toBe(idle + outstanding + dropped + leaks.collected);
  expect(dropped).toBe(Object.values(drops).reduce((sum, count) => sum + count, 0));
  expect(acquires).toBe(hits + misses);
  expect(outstanding).toBe(pool.outstanding());
  expect(leaks.tracked).toBe(pool.trackedLeases().length);
  expect(idle).toBeLessThanOrEqual(maxIdle);
  expect(victims).toBeLessThanOrEqual(idle);
  expect(peak).toBeGreaterThanOrEqual(idle + outstanding);
  for (const count of [hits, misses, idle, victims, outstanding, ...Object.values(drops)]) {
    expect(count).toBeGreaterThanOrEqual(0);
  }
  const { idle: stack } = storeOf(pool);
  expect(stack.floor).toBeLessThanOrEqual(stack.count);
  expect(stack.limit).toBeLessThanOrEqual(stack.values.length);
  // Nothing that is not idle is referred to.
  expect(stack.values.indexOf(undefined)).toBe(stack.count < stack.values.length ? stack.count : -1);
  expect(new Set(stack.values.slice(0, stack.count)).size).toBe(stack.count);
}
