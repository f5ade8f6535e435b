import type { EndedLease } from '../lease/ended-lease.js';

/** Room that a stack begins with. */
const LEAST_ROOM = 16;
/** {@link IdleStack.id} of stacks that are no tracked lease's. */
export const UNTRACKED = -1;

/** What a stack asks of the pool that it belongs to, off the hot path. */
export interface StackOwner<T> {
  /** Name of the pool. */
  readonly name: string;
  /** Prepares an object to be idle, by the callbacks for that. @returns whether it is to be; else it was dropped */
  prepare(value: T): boolean;
  /** What {@link IdleStack.put} does not do by itself. */
  putSlow(stack: IdleStack<T>, value: T): void;
  /** Adds to the record of the lease that has this stack, if that is tracked. */
  touch(stack: IdleStack<T>, hint: string): void;
}

/**
 * An idle stack has the objects of a pool that nobody uses, the warmest on top: all that acquire and release touch as
 * long as it is neither empty nor full. A tracked lease has one of its own, in which nothing is ever idle for long.
 *
 * What       A LIFO stack with a low-water mark, which tells what nobody has needed.
 * Callers    One thread: `ObjectPool.acquire()` pops, {@link put} pushes; the pool's parts do the rest.
 * Ownership  The first `count` elements of `values` are idle objects, the others are undefined: the stack refers to no
 *            object that was leased.
 * Identity   `floor` <= `count` <= `values.length`; the first `floor` objects have lain there since {@link turn}.
 */
export class IdleStack<T> {
  /** Idle objects. */
  count = 0;
  /** An acquire that finds no more than this takes the slow path, which lowers it: it is the low-water mark. */
  floor = 0;
  /** How far {@link put} fills the stack by itself: its room, or 0 where each release needs the slow path. */
  limit = 0;
  /** Whether objects are to be prepared before they are idle. */
  readonly prepares: boolean;
  /** Acquires up to the one that is looked at next. Counting these down is all that statistics cost each acquire. */
  untilSample = 0;
  /** Each longer than `count`, since V8 makes slower code of a store that has once been seen to grow an array. */
  readonly values: (T | undefined)[] = [];
  /** What is called with an object before it is used again. */
  readonly reset: ((value: T) => unknown) | null;
  readonly owner: StackOwner<T>;
  /** The lease's number in the lease log, or {@link UNTRACKED}. */
  id = UNTRACKED;
  /** Once the tracked lease has ended: what is known of it. */
  ended: EndedLease | null = null;
  /** How far the mark was lowered last. */
  #step = 0;
  /** Acquires up to the next sample. Minus zero is a double: counting on from 2^31 changes no representation then. */
  #acquiresAtSample = -0;

  constructor(owner: StackOwner<T>, reset: ((value: T) => unknown) | null, prepares: boolean, room = LEAST_ROOM) {
    this.owner = owner;
    this.reset = reset;
    this.prepares = prepares;
    this.#resize(room);
  }

  /** Leases taken. */
  get acquires(): number {
    return this.#acquiresAtSample - this.untilSample;
  }

  /** The next sample is the acquire that comes so many after the last one. */
  sampleAfter(interval: number): void {
    this.#acquiresAtSample += interval - this.untilSample;
    this.untilSample = interval;
  }

  /** The last acquire came to nothing. */
  uncount(): void {
    this.#acquiresAtSample--;
  }

  /** Takes an object whose lease has ended. */
  put(value: T): void {
    if (this.prepares && !this.owner.prepare(value)) return;
    if (this.count < this.limit) this.values[this.count++] = value;
    else this.owner.putSlow(this, value);
  }

  /** Off the hot path: puts an object on top. */
  push(value: T): void {
    if (this.count === this.values.length) this.#resize(2 * this.count);
    this.values[this.count++] = value;
  }

  /** Off the hot path: takes the object on top, of which there is one. */
  pop(): T {
    const value = this.values[--this.count] as T;
    this.values[this.count] = undefined;
    this.floor = Math.min(this.floor, this.count);
    return value;
  }

  /**
   * Where an acquire finds no more than the low-water mark: whether that can be lowered, so that there is an object above it. By twice
   * as much each time, so that an epoch has few such acquires, and the mark is at most twice as deep as the stack was used.
   */
  lower(): boolean {
    this.#step = Math.max(1, 2 * this.#step);
    this.floor = Math.max(0, this.count - this.#step);
    return this.count > 0;
  }

  /** Another epoch begins. @returns how many objects nobody needed in the one that ends: those at the bottom */
  turn(): number {
    const unused = this.floor;
    this.floor = this.count;
    this.#step = 0;
    return unused;
  }

  /** Takes so many objects from the bottom, which are the coldest, and gives room back that is not needed. */
  takeColdest(count: number): T[] {
    const taken = this.values.slice(0, count) as T[];
    if (count > 0) {
      this.values.copyWithin(0, count, this.count);
      this.values.fill(undefined, this.count - count, this.count);
      this.count -= count;
      this.floor = Math.max(0, this.floor - count);
    }
    if (4 * this.count < this.values.length) this.#resize(Math.max(LEAST_ROOM, 2 * this.count));
    return taken;
  }

  #resize(room: number): void {
    const { values } = this;
    values.length = Math.min(values.length, room);
    while (values.length < room) values.push(undefined);
  }
}
