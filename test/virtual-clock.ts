import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers';
import { onTestFinished } from 'vitest';

interface Task {
  readonly at: number;
  readonly order: number;
  readonly call: () => void;
}

const real = { setTimeout: timers.setTimeout, clearTimeout: timers.clearTimeout, bigint: process.hrtime.bigint };
const turn = timers.setImmediate;

/**
 * A clock that stands still until a test moves it, in the place of the one and the timers of `node:timers` that the
 * package uses, until the end of the test.
 */
export class VirtualClock {
  #now = 1000;
  #order = 0;
  readonly #tasks = new Set<Task>();

  constructor() {
    process.hrtime.bigint = () => BigInt(Math.round(this.#now * 1e6));
    const set = (call: (...args: unknown[]) => void, ms = 1, ...args: unknown[]) => {
      const task = { at: this.#now + Math.max(1, ms), order: this.#order++, call: () => call(...args) };
      this.#tasks.add(task);
      return Object.assign(task, { unref: () => task, ref: () => task });
    };
    timers.setTimeout = set as never;
    timers.clearTimeout = ((task: Task) => this.#tasks.delete(task)) as never;
    syncBuiltinESMExports();
    onTestFinished(() => this.end());
  }

  get now(): number {
    return this.#now;
  }

  /** Timers that run. */
  get pending(): number {
    return this.#tasks.size;
  }

  /** As the timer of a program. */
  after(ms: number, call: () => void): void {
    this.#tasks.add({ at: this.#now + ms, order: this.#order++, call });
  }

  /** Lets what is due at once happen: microtasks, and what they start. */
  async settle(): Promise<void> {
    await new Promise((resolve) => turn(resolve));
  }

  /** Moves on, from timer to timer, and lets the consequences of each happen. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    for (let task = this.#next(until); task !== undefined; task = this.#next(until)) {
      this.#tasks.delete(task);
      this.#now = Math.max(this.#now, task.at);
      task.call();
      await this.settle();
    }
    this.#now = until;
  }

  #next(until: number): Task | undefined {
    let next: Task | undefined;
    for (const task of this.#tasks) {
      if (task.at > until) continue;
      if (next === undefined || task.at < next.at || (task.at === next.at && task.order < next.order)) next = task;
    }
    return next;
  }

  end(): void {
    Object.assign(timers, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
    process.hrtime.bigint = real.bigint;
    syncBuiltinESMExports();
  }
}
