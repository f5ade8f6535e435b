import { types } from 'node:util';
import { now } from '../base/runtime.js';
import { closedPool, invalidArg } from '../errors.js';
import { type DestroyFailedEvent, events, Outbox } from '../events.js';
import type { ObjectPoolStats } from '../stats/object-stats.js';
import { LeaseLog, type LeaseLogOwner } from '../tracking/lease-log.js';
import { Sampling } from '../tracking/sampling.js';
import { EpochTimer } from './epoch-timer.js';
import { IdleStack, type StackOwner, UNTRACKED } from './idle-stack.js';
import { ObjectLease } from './object-lease.js';
import type { ResolvedObjectOptions } from './options.js';

type Drop = keyof ObjectPoolStats['drops'];

/**
 * An object store is what an object pool does off the hot path: it makes objects and drops them, and tracks leases.
 *
 * What       Every callback of the program is called when the books are right, with nothing of the store on its way, since it may do
 *            anything: throw, acquire, release, close the pool.
 * Callers    One thread: `ObjectPool`, and leases by {@link IdleStack.put}.
 * Ownership  The pool and the leases keep it alive, the timer does not. Of what is leased it has nothing.
 * Identity   Objects created == idle + leased + dropped + leaked, where a leak is known of tracked leases alone.
 */
export class ObjectStore<T extends object> implements StackOwner<T>, LeaseLogOwner<number, IdleStack<T>> {
  readonly name: string;
  readonly options: ResolvedObjectOptions<T>;
  readonly since = now();
  readonly idle: IdleStack<T>;
  readonly outbox = new Outbox();
  /** Of each lease: the acquires up to, and including, its own. */
  readonly log: LeaseLog<number, IdleStack<T>>;
  readonly drops: Record<Drop, number> = { decayed: 0, trimmed: 0, full: 0, vetoed: 0, failed: 0, closed: 0 };
  readonly failures = { create: 0, reset: 0, keep: 0, destroy: 0 };
  created = 0;
  /** The sum of `drops`. */
  dropped = 0;
  misses = 0;
  /** The most objects at once. */
  peak = 0;
  closed = false;
  /** One, always: while no lease is alive V8 lets the class go with the third full collection, and all code that makes one. */
  readonly kept: ObjectLease<T>;
  readonly #sampling: Sampling;
  readonly #timer: EpochTimer;
  /** Objects at the bottom that nobody needed in the last epoch. */
  #victims = 0;
  #warned = false;

  constructor(options: ResolvedObjectOptions<T>) {
    const { name, reset, resetOn, keep, epochMs, leakDetection } = options;
    const prepares = keep !== null || (reset !== null && resetOn === 'release');
    this.name = name;
    this.options = options;
    this.#sampling = new Sampling(options, !prepares);
    this.#timer = new EpochTimer(this, epochMs);
    this.log = new LeaseLog<number, IdleStack<T>>(this, 'object', leakDetection === 'full');
    this.idle = new IdleStack(this, resetOn === 'acquire' ? reset : null, prepares);
    this.idle.sampleAfter(this.#sampling.interval());
    this.kept = new ObjectLease({} as T, this.idle);
    this.#relimit();
  }

  /** Objects that are idle or leased. */
  get #live(): number {
    return this.created - this.dropped - this.log.collected;
  }

  /** Leases that are out. */
  outstanding(): number {
    this.drain();
    return this.#live - this.idle.count;
  }

  /** Idle objects that nobody needed in the last epoch, nor since. */
  get victims(): number {
    return Math.min(this.#victims, this.idle.floor);
  }

  /**
   * For an acquire that finds no object above the low-water mark: from now on there is one.
   * @returns whether it was created just now
   * @throws `ERR_SLABPOOL_CLOSED`, and what `create` throws
   */
  stock(): boolean {
    if (this.idle.lower()) return false;
    // A tracked lease that has ended may have one.
    this.drain();
    if (this.idle.lower()) return false;
    let value: T;
    try {
      this.assertOpen();
      value = this.#create();
    } catch (error) {
      this.idle.uncount();
      throw error;
    }
    this.misses++;
    this.idle.push(value);
    return true;
  }

  /** @throws what `create` throws, and `ERR_SLABPOOL_CLOSED` if that has closed the pool */
  #create(): T {
    const { create } = this.options;
    let value: unknown;
    try {
      value = create();
      if (!isObject(value)) throw invalidArg("option 'create', what it returned", 'an object', value, this.name);
    } catch (error) {
      this.failures.create++;
      throw error;
    }
    this.created++;
    this.peak = Math.max(this.peak, this.#live);
    if (this.closed) this.#drop('closed', [value as T]);
    this.assertOpen();
    return value as T;
  }

  /**
   * Resets an object, on acquire or on release as the option says.
   * @throws what `reset` throws: the object is gone then
   */
  reset(reset: (value: T) => unknown, value: T): void {
    try {
      const returned = reset(value);
      if (typeof returned === 'object') this.#refusePromise(returned);
    } catch (error) {
      if (this.options.resetOn === 'acquire') this.idle.uncount();
      this.#fail('reset', value, error);
    }
  }

  /** A reset that is not done when it returns would reset the object under its next owner. */
  #refusePromise(returned: object | null): void {
    if (!types.isPromise(returned)) return;
    // Whatever becomes of it, this is the error.
    returned.catch(() => {});
    throw invalidArg("option 'reset', what it returned", 'nothing: it is to be done then', returned, this.name);
  }

  #fail(what: 'reset' | 'keep', value: T, error: unknown): never {
    this.failures[what]++;
    this.#drop('failed', [value]);
    throw error;
  }

  /** For the acquire that the countdown ends at: where it takes its object from, the stack of a tracked lease or that of all. */
  sampled(): IdleStack<T> {
    const { idle } = this;
    idle.sampleAfter(this.#sampling.interval());
    this.drain();
    if (this.closed || !this.#sampling.tracks()) return idle;
    const created = idle.count <= idle.floor && this.stock();
    const value = idle.pop();
    if (idle.reset !== null && !created) this.reset(idle.reset, value);
    const own = new IdleStack<T>(this, null, false, 1);
    own.id = this.log.track(idle.acquires, own);
    own.push(value);
    // A release that calls anything makes V8 create each lease, where it would leave most of them out. So where few are tracked,
    // one that ends in the turn of its acquire is put into its own stack, from which it is taken when somebody looks.
    if (this.#sampling.seldom) own.limit = 1;
    return own;
  }

  /** Takes back what tracked leases have put into their own stacks. */
  drain(): void {
    if (!this.#sampling.seldom) return; // None of them does.
    for (const [id, own] of this.log.fresh) if (own.count > 0) this.#drain(id, own);
  }

  #drain(id: number, own: IdleStack<T>): void {
    this.log.endUnseen(id, own, this.idle.acquires - this.log.itOf(id));
    this.#keep(own.pop());
  }

  settling(id: number, own: IdleStack<T>): void {
    if (own.count > 0) this.#drain(id, own);
    own.limit = 0;
  }

  /** Somebody may still have the object. */
  leaked(): void {}

  touch({ id }: IdleStack<T>, hint: string): void {
    if (id !== UNTRACKED) this.log.touch(id, hint);
  }

  /** Takes an object whose lease has ended. @throws as {@link prepare} */
  putSlow(stack: IdleStack<T>, value: T): void {
    if (stack.id !== UNTRACKED) {
      stack.ended = this.log.end(stack.id, stack, 'released');
      if (this.idle.prepares && !this.prepare(value)) return;
    }
    this.#keep(value);
  }

  /** @throws what `keep` and `reset` throw: the object is gone then */
  prepare(value: T): boolean {
    const { keep, reset, resetOn } = this.options;
    if (keep !== null && !this.closed && !this.#keeps(keep, value)) {
      this.#drop('vetoed', [value]);
      return false;
    }
    if (reset !== null && resetOn === 'release' && this.#refusal === null) this.reset(reset, value);
    return true;
  }

  #keeps(keep: (value: T) => unknown, value: T): boolean {
    try {
      const keeps = keep(value);
      if (typeof keeps === 'boolean') return keeps;
      throw invalidArg("option 'keep', what it returned", 'true or false', keeps, this.name);
    } catch (error) {
      this.#fail('keep', value, error);
    }
  }

  /** Why no object is kept at all. */
  get #refusal(): Drop | null {
    if (this.closed) return 'closed';
    return this.idle.count >= this.options.maxIdle ? 'full' : null;
  }

  /** Makes an object idle, unless there is no room for it. */
  #keep(value: T): void {
    const refusal = this.#refusal;
    if (refusal !== null) {
      this.#drop(refusal, [value]);
      return;
    }
    this.idle.push(value);
    this.#timer.start();
    this.#relimit();
  }

  /** Has releases fill the stack by themselves while epochs end, up to where it has to grow or is full. */
  #relimit(): void {
    const { idle, options } = this;
    const fills = this.#timer.runs && !this.closed;
    idle.limit = fills ? Math.min(options.maxIdle, idle.values.length) : 0;
  }

  /** Makes objects until so many are idle. @throws as {@link stock} */
  prewarm(count: number): void {
    for (let missing = count - this.idle.count; missing > 0; missing--) this.#keep(this.#create());
  }

  /** Drops all idle objects. @returns their number */
  trim(): number {
    this.drain();
    return this.#dropColdest('trimmed', this.idle.count);
  }

  /** The end of an epoch: what lay idle for two of them is dropped. */
  turn(): void {
    this.drain();
    const unused = this.idle.turn();
    const cold = Math.min(this.#victims, unused);
    this.#victims = unused - cold;
    if (this.idle.count > cold) this.#timer.start();
    this.#dropColdest('decayed', cold);
  }

  #dropColdest(why: Drop, count: number): number {
    const values = this.idle.takeColdest(count);
    this.#relimit();
    this.#drop(why, values);
    return values.length;
  }

  /** The store has forgotten these objects already. */
  #drop(why: Drop, values: readonly T[]): void {
    this.drops[why] += values.length;
    this.dropped += values.length;
    const { destroy } = this.options;
    if (destroy === null) return;
    for (const value of values) {
      try {
        const returned = destroy(value);
        if (types.isPromise(returned)) returned.catch((error) => this.#report(error));
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** No caller can do anything about it, and others are yet to be destroyed. */
  #report(error: unknown): void {
    const pool = this.name;
    this.failures.destroy++;
    if (events.destroyFailed.hasSubscribers) {
      events.destroyFailed.publish({ pool, error } satisfies DestroyFailedEvent);
      return;
    }
    if (this.#warned) return;
    this.#warned = true;
    process.emitWarning(`pool '${pool}': destroy threw: ${error instanceof Error ? error.stack : String(error)}`, {
      type: 'SlabPoolWarning',
      code: 'SLABPOOL_DESTROY_FAILED',
      detail: 'Of this pool no more are reported here, but all on the diagnostics channel slabpool:destroy-failed',
    });
  }

  close(): void {
    if (this.closed) return;
    this.drain();
    this.closed = true;
    this.#timer.stop();
    for (const own of this.log.fresh.values()) own.limit = 0;
    this.#dropColdest('closed', this.idle.count);
  }

  assertOpen(): void {
    if (this.closed) throw closedPool(this.name, 'ObjectPool');
  }
}

/** An object or a function, but no promise of one. */
function isObject(value: unknown): boolean {
  return ((typeof value === 'object' && value !== null) || typeof value === 'function') && !types.isPromise(value);
}
