import { throwIfAborted } from '../base/abort.js';
import { type Limits, watchLimits } from '../base/wait-options.js';
import { addonError } from '../core/addon.js';
import { ARRIVED, type CoreChannel, type Notifiable, Notifier, WAKE } from '../core/core.js';
import { SlabPoolError } from '../errors.js';
import type { Heap } from '../heap/heap.js';
import { Sleepers } from './blocking.js';
import type { ChannelHandle } from './channel-handle.js';

/** How long a blocking receiver sleeps before it looks whether its peers are alive: a thread that dies wakes no such sleeper. */
const LOOK_MS = 1000;

/** A call that waits, for a message or for room. */
export interface Waiter<T = unknown> {
  readonly owner: object | undefined;
  /**
   * Tries once more; null when it still has to wait.
   * @param arrived whether the core has taken the message that it waits for
   */
  attempt(arrived: boolean): { value: T } | null;
  resolve(value: T): void;
  reject(reason: unknown): void;
  readonly timer: NodeJS.Timeout | undefined;
}

/** A queue of calls that wait: for messages, or for room. First come, first served. */
export type Queue = 'receivers' | 'senders';

/**
 * An endpoint is this thread's end of a channel: who waits at it, and how it sleeps and is woken.
 *
 * What       Calls are tried at once if nobody is ahead of them, and then again at each wake-up. An endpoint is armed,
 *            so that a change of the channel wakes it, while anybody waits; it tries once more after arming, so that no
 *            change falls between.
 * Callers    `Channel`, `Transport` and `Messages`; the core's notifier, in a turn of the event loop of its own; the
 *            heap when it closes.
 * Ownership  The core refers to it weakly, but while anybody waits, or it holds the channel open:
 *            {@link Notifier.kept}.
 * Identity   The core's endpoint is armed for a queue, or its wake-up is under way == somebody waits in it.
 */
export class Endpoint implements Notifiable {
  readonly channel: CoreChannel;
  open = true;
  readonly #heap: Heap;
  readonly #sleepers: Sleepers;
  readonly #queues: Readonly<Record<Queue, Waiter[]>> = { receivers: [], senders: [] };
  readonly #holdsOpen: boolean;
  readonly #notifier = new Notifier();
  #refed = true;

  constructor(heap: Heap, at: { capacity: number; holdOpen: boolean } | ChannelHandle) {
    this.#heap = heap;
    this.#holdsOpen = 'capacity' in at && at.holdOpen;
    this.#sleepers = new Sleepers('capacity' in at ? undefined : at.sleepers);
    this.#notifier.listener = new WeakRef(this);
    this.channel = this.#openChannel(at);
    heap.endpoints.add(this);
    this.#keep();
  }

  #openChannel(at: { capacity: number; holdOpen: boolean } | ChannelHandle): CoreChannel {
    const { core, name } = this.#heap;
    if (core.channels === null) {
      throw new SlabPoolError('ERR_SLABPOOL_BACKEND', 'only pools on the native core have channels', { pool: name });
    }
    this.#heap.share();
    try {
      return core.channels.open(this.#notifier, at);
    } catch (cause) {
      throw addonError(cause, name);
    }
  }

  get handle(): ChannelHandle {
    this.assertOpen();
    const { slot, serial } = this.channel;
    const copyId = this.#heap.core.address?.copyId as string;
    return { slabpool: 'channel', address: { copyId, slot, serial }, sleepers: this.#sleepers.memory };
  }

  /**
   * Waits for what `attempt` comes to, at once or later.
   * @param owner by which the waiting can be ended: {@link end}
   */
  wait<T>(queue: Queue, limits: Limits, attempt: Waiter<T>['attempt'], owner?: object): Promise<T> {
    return new Promise((resolve, reject) => {
      const { signal, timeout } = limits;
      throwIfAborted(signal);
      const waiters = this.#queues[queue];
      // Only who is alone may try at once.
      const now = waiters.length === 0 ? attempt(false) : null;
      if (now !== null) {
        resolve(now.value);
        return;
      }
      if (timeout === 0) throw this.#timeout(queue, timeout);
      const waiter = { owner, attempt, resolve, reject, timer: undefined };
      const limited = signal !== undefined || timeout !== Infinity;
      waiters.push((limited ? this.#limited(queue, limits, waiter) : waiter) as Waiter);
      // Who is not alone waits behind one for whom it is armed.
      if (waiters.length === 1) this.#armFor(queue);
      this.#keep();
    });
  }

  /** A waiter that gives up at its limits. */
  #limited<T>(queue: Queue, limits: Limits, { owner, attempt, resolve, reject }: Waiter<T>): Waiter<T> {
    const giveUp = (reason: () => unknown) => {
      if (this.#withdraw(queue, waiter as Waiter)) waiter.reject(reason());
    };
    const expired = () => giveUp(() => this.#timeout(queue, limits.timeout));
    const limit = watchLimits(limits, expired, (reason) => giveUp(() => reason));
    if (!this.#refed) limit.timer?.unref();
    const waiter: Waiter<T> = {
      owner,
      attempt,
      resolve(value) {
        limit.end();
        resolve(value);
      },
      reject(reason) {
        limit.end();
        reject(reason);
      },
      timer: limit.timer,
    };
    return waiter;
  }

  /** Ends those calls of {@link wait} with `value` that are of this owner, and still wait. */
  end<T>(queue: Queue, owner: object, value: T): void {
    for (const waiter of this.#queues[queue].filter((one) => one.owner === owner)) {
      if (this.#withdraw(queue, waiter)) waiter.resolve(value);
    }
  }

  /** Takes a waiter out of its queue, so that it will not be served. False when it is not there any more. */
  #withdraw(queue: Queue, waiter: Waiter): boolean {
    const waiters = this.#queues[queue];
    const at = waiters.indexOf(waiter);
    if (at < 0) return false;
    waiters.splice(at, 1);
    if (waiters.length === 0) this.#disarm(queue);
    this.#keep();
    return true;
  }

  /** Called when the channel has changed since this endpoint armed itself; the core wakes another one then if need be. */
  notified(what: number): void {
    if (what >= WAKE) {
      this.#sleepers.wake(what - WAKE);
      return;
    }
    const { receivers, senders } = this.#queues;
    if (what === ARRIVED) this.#serveFirst(receivers, true);
    if (receivers.length + senders.length > 0) this.pump();
    else this.#keep();
  }

  /** Wakes another endpoint if there is more than this one took while it has blocked: one wake-up may stand for two changes. */
  passOn(): void {
    if (this.open) this.wake(this.channel.passOn());
  }

  /** Wakes an endpoint that blocks, if the core says so to whoever has changed the channel: its number + 1, or 0. */
  wake(blocked: number): void {
    if (blocked > 0) this.#sleepers.wake(blocked - 1);
  }

  /** Serves those who wait, as far as it goes. Called at each wake-up. */
  pump(): void {
    this.#pumpQueue('receivers');
    this.#pumpQueue('senders');
    this.#keep();
  }

  #pumpQueue(queue: Queue): void {
    if (this.#queues[queue].length === 0) return;
    if (this.#serve(queue)) this.#armFor(queue);
    else this.#disarm(queue);
  }

  /** Serves those who wait in turn. Whether somebody still waits. */
  #serve(queue: Queue): boolean {
    const waiters = this.#queues[queue];
    while (waiters.length > 0) if (!this.#serveFirst(waiters, false)) return true;
    return false;
  }

  /** What changes after it is armed notifies it, what changed before is seen when it tries once more. */
  #armFor(queue: Queue): void {
    if (queue === 'receivers') this.channel.armReceiver(false);
    else this.channel.armSender();
    if (!this.#serve(queue)) this.#disarm(queue);
  }

  /** Tries for the first waiter. False: it still has to wait. */
  #serveFirst(waiters: Waiter[], arrived: boolean): boolean {
    const first = waiters[0] as Waiter;
    try {
      const served = first.attempt(arrived);
      if (served === null) return false;
      waiters.shift();
      first.resolve(served.value);
    } catch (error) {
      waiters.shift();
      first.reject(error);
    }
    return true;
  }

  /** Disarms the endpoint for a queue that is empty. If it was woken meanwhile, {@link notified} will pass that on. */
  #disarm(queue: Queue): void {
    if (!this.open) return;
    if (queue === 'receivers') this.channel.disarmReceiver();
    else this.channel.disarmSender();
  }

  /** Blocks until this endpoint is woken, for so long at most, unless a second look at what `attempt` finds is worth it. */
  sleep<T>(ms: number, attempt: () => T | undefined): T | undefined {
    const { endpoint } = this.channel;
    this.#sleepers.prepare(endpoint);
    this.channel.armReceiver(true);
    try {
      const found = attempt();
      if (found === undefined && !this.#sleepers.sleep(endpoint, Math.min(ms, LOOK_MS))) this.#heap.blocked();
      return found;
    } finally {
      this.#sleepers.done(endpoint);
      this.#disarm('receivers');
    }
  }

  close(): void {
    this.assertOpen();
    this.channel.close();
    this.#sleepers.wakeAll();
    this.pump();
  }

  leave(): void {
    if (!this.open) return;
    this.open = false;
    this.#heap.endpoints.delete(this);
    this.channel.leave();
    this.#sleepers.wakeAll();
    const { receivers, senders } = this.#queues;
    for (const waiter of [...receivers.splice(0), ...senders.splice(0)]) waiter.reject(this.closed());
    this.#keep();
  }

  ref(): void {
    this.#setRefed(true);
  }

  unref(): void {
    this.#setRefed(false);
  }

  #setRefed(refed: boolean): void {
    this.#refed = refed;
    for (const { timer } of [...this.#queues.receivers, ...this.#queues.senders]) {
      if (refed) timer?.ref();
      else timer?.unref();
    }
    if (!this.open) return;
    if (refed) this.channel.ref();
    else this.channel.unref();
  }

  /** Keeps this endpoint from being collected while anybody waits, and while it holds the channel open. */
  #keep(): void {
    const { receivers, senders } = this.#queues;
    const awaited = receivers.length + senders.length > 0;
    this.#notifier.kept = this.open && (awaited || this.#holdsOpen) ? this : undefined;
  }

  assertOpen(): void {
    if (!this.open) throw this.closed();
    this.#heap.assertOpen();
  }

  closed(): SlabPoolError {
    return new SlabPoolError('ERR_SLABPOOL_CHANNEL_CLOSED', 'the channel was closed, or this thread has left it', {
      pool: this.#heap.name,
    });
  }

  #timeout(queue: Queue, timeoutMs: number): SlabPoolError {
    const missed = queue === 'receivers' ? 'no message came' : 'the channel stayed full';
    return new SlabPoolError('ERR_SLABPOOL_TIMEOUT', `${missed} for ${timeoutMs} ms`, {
      pool: this.#heap.name,
      details: { timeoutMs },
    });
  }
}
