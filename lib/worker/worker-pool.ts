import { createHistogram } from 'node:perf_hooks';
import { abortReason, throwIfAborted } from '../base/abort.js';
import { checkOptions } from '../base/check-options.js';
import { setObservable } from '../base/observable.js';
import { now } from '../base/runtime.js';
import { checkWaitOptions, type Limits, type WaitOptions, watchLimits } from '../base/wait-options.js';
import { WaitQueue } from '../base/wait-queue.js';
import type { Diagnosis } from '../diagnose/diagnosis.js';
import { diagnoseWorkers } from '../diagnose/workers.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { Durations, WorkerPoolStats } from '../stats/worker-stats.js';
import type { TaskMessage } from './messages.js';
import { type ResolvedWorkerOptions, resolveWorkerOptions, type WorkerPoolOptions } from './options.js';
import { Cargo, discard } from './parcel.js';
import { Running } from './running.js';
import { saidBy, Threads } from './threads.js';

/** Options of {@link WorkerPool.run}. */
export interface RunOptions {
  /**
   * Gives the job up when it is aborted: one that waits is withdrawn, and the thread of one that runs is ended, and replaced when it
   * is needed. The promise rejects with `signal.reason`. Default: none.
   */
  signal?: AbortSignal;
  /**
   * Milliseconds from 0 to 2^31 - 1, or `Infinity`, that the job may wait for a thread; then the promise rejects with
   * `ERR_SLABPOOL_TIMEOUT`. A job that runs has no such limit: `AbortSignal.timeout(ms)` limits all of it. Default: `Infinity`.
   */
  timeout?: number;
  /** The function's name among the exports of the file. Default: `'default'`. */
  name?: string;
}

const RUN = 'run(task, options)';
/** What those who wait did not get in time, and what to do. */
const TIMEOUTS = {
  thread: [
    'no thread was free',
    'Wait longer, raise maxThreads where there are cores for more, or await ready() before making a task',
  ],
  room: ['the queue had no room', 'Wait longer, or raise maxQueue'],
  end: ['not all jobs had ended', 'The pool is closed, and they were cut off'],
} as const;

/**
 * A worker pool runs jobs on threads, and their leases travel to them and back without a copy. The threads are piscina's.
 *
 * ```js
 * const workers = new WorkerPool({ filename: new URL('./parse.js', import.meta.url), pool });
 *
 * await workers.ready(); // not more work than the threads can do
 * const lease = await pool.acquireAsync(1024 * 1024);
 * const { rows } = await workers.run({ block: lease, length: await fill(lease) }); // the lease has ended here
 * ```
 *
 * What       Jobs start in the order of {@link run}, each as soon as a thread is free.
 * Callers    One thread, as many at once as it likes; piscina, when a thread is free.
 * Ownership  From `run()` on the leases of a task are the pool's: tickets, until the thread adopts them. Whatever becomes of the job,
 *            they are released.
 * Identity   See {@link WorkerPoolStats}.
 */
export class WorkerPool<T = unknown, R = unknown> {
  readonly #options: ResolvedWorkerOptions;
  readonly #threads: Threads;
  readonly #queue: WaitQueue<null, void>;
  readonly #producers: WaitQueue<null, void>;
  readonly #running: Running;
  readonly #waits = createHistogram();
  readonly #madeAt = now();
  /** Jobs that were given a place without waiting for it. */
  #direct = 0;
  /** Jobs that waited when the time of `close()` was up. */
  #cutOffQueued = 0;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #drained: () => void = () => {};
  #ended: Promise<void> | undefined;

  /**
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_DEPENDENCY` where piscina is not installed, `ERR_SLABPOOL_BACKEND` where the pool is on
   * the TypeScript core, `ERR_SLABPOOL_CLOSED`
   */
  constructor(options: WorkerPoolOptions) {
    this.#options = resolveWorkerOptions(options);
    const threads = new Threads({ freed: () => this.#next() }, this.#options);
    this.#threads = threads;
    this.#running = new Running(threads, this.#options);
    const line = (wanted: 'thread' | 'room', what: string) => ({
      timeout: (_: null, timeoutMs: number) => this.#timeout(wanted, timeoutMs),
      gaveUp: () => this.#next(),
      get othersMayServe() {
        return threads.busy > 0;
      },
      description: `pool '${this.#options.name}', ${what}`,
    });
    this.#queue = new WaitQueue(line('thread', 'jobs that no thread is free for'));
    this.#producers = new WaitQueue(line('room', 'calls of ready()'));
    setObservable(this);
  }

  /** The option `name`: what errors and stats call the pool. */
  get name(): string {
    return this.#options.name;
  }

  /**
   * Has a thread do a job, as soon as one is free: first come, first served. What waits is not bounded here: await {@link ready} before
   * making the task, where there is no end of them.
   *
   * The task is cloned, but for leases: those that it is, or that are elements of it (an array) or properties (a plain object), end
   * here, and the function finds leases of the same buffers in their places. They are the pool's then, and are released if the job
   * does not come to its end. In the result it is the same the other way round.
   *
   * A promise that rejects with the first six of these errors has left the leases to the caller. `using`, or
   * `lease[Symbol.dispose]()`, is right in any case.
   * @throws `ERR_SLABPOOL_INVALID_ARG`, `ERR_SLABPOOL_LEASE_RELEASED`, `ERR_SLABPOOL_FOREIGN_LEASE`, `ERR_SLABPOOL_SHARED`,
   * `ERR_SLABPOOL_OVERSIZE` (such a lease cannot be handed over), `ERR_SLABPOOL_DETACHED`; `ERR_SLABPOOL_CLOSED`, also when the pool is
   * closed meanwhile; `ERR_SLABPOOL_TIMEOUT`, the signal's reason; `ERR_SLABPOOL_WORKER_DIED`; a `DataCloneError`; and what the function
   * throws
   */
  async run(task: T, options?: RunOptions): Promise<R> {
    this.#assertOpen();
    const pool = this.#options.name;
    const { name = 'default', ...wait } = checkOptions(RUN, options, ['signal', 'timeout', 'name'], pool);
    if (typeof name !== 'string') throw invalidArg(`${RUN}, option 'name'`, 'the name of an export', name, pool);
    const limits = checkWaitOptions(RUN, wait, pool);
    const { signal, timeout } = limits;
    const cargo = new Cargo(task, this.#options.pool, RUN);
    const { value, places } = cargo;
    // Reading the task may have run code of its own.
    this.#assertOpen();
    throwIfAborted(signal);
    const idle = this.#threads.free && this.#queue.size === 0;
    if (!idle && timeout === 0) throw this.#timeout('thread', 0);
    const tickets = cargo.send(this.#options.pool);
    if (idle) {
      this.#direct++;
      this.#running.take();
    } else {
      await this.#turn(tickets, limits);
    }
    const message: TaskMessage = { slabpool: 'task', withdrawn: false, value, places, tickets };
    return (await this.#running.perform(message, name, signal)) as R;
  }

  /**
   * Resolves when fewer than `maxQueue` jobs wait for a thread: first come, first served. A producer that awaits it before it
   * makes the next task, and before it acquires leases for that, keeps the threads busy and no more (backpressure). Several producers
   * may be let through at once, so that as many jobs more may wait.
   * @throws `ERR_SLABPOOL_TIMEOUT`, the signal's reason, `ERR_SLABPOOL_CLOSED`, `ERR_SLABPOOL_INVALID_ARG`
   */
  async ready(options?: WaitOptions): Promise<void> {
    this.#assertOpen();
    const limits = checkWaitOptions('ready(options)', options, this.#options.name);
    throwIfAborted(limits.signal);
    if (this.#producers.size === 0 && this.#queue.size < this.#options.maxQueue) return;
    if (limits.timeout === 0) throw this.#timeout('room', 0);
    await this.#producers.join(null, limits).promise;
  }

  /**
   * A snapshot.
   * @throws `ERR_SLABPOOL_CLOSED` once {@link close} has resolved
   */
  stats(): WorkerPoolStats {
    if (this.#state === 'closed') throw this.#closedError();
    const { name, minThreads, maxThreads, maxQueue } = this.#options;
    const running = this.#running;
    return {
      ...{ kind: 'worker', name, ageMs: now() - this.#madeAt, minThreads, maxThreads, maxQueue },
      threads: this.#threads.size,
      jobs: this.#direct + this.#queue.total,
      queued: this.#queue.size,
      running: running.size,
      completed: running.completed,
      failed: running.failed + this.#cutOffQueued,
      timedOut: this.#queue.timedOut,
      aborted: this.#queue.aborted + running.aborted,
      producersWaiting: this.#producers.size,
      deaths: this.#threads.deaths,
      utilization: this.#threads.utilization,
      waitMs: this.#waitMs(),
      runMs: this.#threads.runMs,
    };
  }

  /**
   * Whether the jobs are worth their way, and what holds them up. `String(workers.diagnose())` is a report.
   * @throws `ERR_SLABPOOL_CLOSED`
   */
  diagnose(): Diagnosis {
    return diagnoseWorkers(this.stats());
  }

  /**
   * Ends the pool in good order: no more jobs, those that wait and run come to their end, then the threads are ended. What is left when
   * a limit is reached is cut off: its promises reject with `ERR_SLABPOOL_CLOSED`, its threads are ended, and when all of that is done this
   * promise rejects as well. Later calls wait for the same end, with limits of their own. The BufferPool stays open.
   * @throws `ERR_SLABPOOL_TIMEOUT` or the signal's reason if jobs were cut off; `ERR_SLABPOOL_WORKER_DIED` with the first error of a
   * thread that had no job to tell it, since nobody else was told; `ERR_SLABPOOL_INVALID_ARG`
   */
  async close(options?: WaitOptions): Promise<void> {
    const { name } = this.#options;
    const limits = checkWaitOptions('close(options)', options, name);
    const { signal, timeout } = limits;
    this.#ended ??= this.#end();
    const failures: unknown[] = [];
    const cutOff = (reason: unknown) => {
      if (this.#cutOff()) failures.push(reason);
    };
    const expired = () => cutOff(this.#timeout('end', timeout));
    if (signal?.aborted) cutOff(abortReason(signal));
    else if (timeout === 0) expired();
    const watch = signal?.aborted ? undefined : watchLimits(limits, expired, cutOff);
    await this.#ended;
    watch?.end();
    if (failures.length > 0) throw failures[0];
    const { untold } = this.#threads;
    if (untold === undefined) return;
    const message = `a thread died between jobs: ${saidBy(untold.error)}`;
    throw new SlabPoolError('ERR_SLABPOOL_WORKER_DIED', message, { pool: name, cause: untold.error });
  }

  /** `await using`: {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Waits until a thread is free, and has been taken. */
  async #turn(tickets: readonly number[], limits: Limits): Promise<void> {
    try {
      await this.#queue.join(null, limits).promise;
    } catch (error) {
      discard(tickets, this.#options.pool);
      throw error;
    }
  }

  /** Gives free threads to those who wait for them, and room in the queue to producers. */
  #next(): void {
    for (let { first } = this.#queue; first !== null && this.#threads.free; { first } = this.#queue) {
      this.#running.take();
      this.#waits.record(Math.max(1, Math.round((now() - first.since) * 1000)));
      this.#queue.serve(first);
    }
    for (let room = this.#options.maxQueue - this.#queue.size; room > 0; room--) {
      const { first } = this.#producers;
      if (first === null) break;
      this.#producers.serve(first);
    }
    if (this.#queue.size === 0 && this.#threads.busy === 0) this.#drained();
  }

  /** No more jobs. Resolves when the last one and the last thread have ended. */
  async #end(): Promise<void> {
    this.#state = 'closing';
    const drained = new Promise<void>((resolve) => {
      this.#drained = resolve;
    });
    refuseAll(this.#producers, () => this.#closedError());
    this.#next();
    await drained;
    await this.#threads.destroy();
    this.#state = 'closed';
  }

  /** @returns whether anything was left */
  #cutOff(): boolean {
    if (this.#queue.size + this.#running.size === 0) return false;
    this.#cutOffQueued += this.#queue.size;
    refuseAll(this.#queue, () => this.#running.cutError());
    this.#running.cutAll();
    void this.#threads.destroy();
    this.#next();
    return true;
  }

  #waitMs(): Durations {
    const waits = this.#waits;
    if (waits.count === 0) return { mean: 0, p50: 0, p99: 0, max: 0 };
    const ms = (micros: number) => micros / 1000;
    return { mean: ms(waits.mean), p50: ms(waits.percentile(50)), p99: ms(waits.percentile(99)), max: ms(waits.max) };
  }

  #assertOpen(): void {
    if (this.#state !== 'open') throw this.#closedError();
  }

  #closedError(): SlabPoolError {
    return new SlabPoolError('ERR_SLABPOOL_CLOSED', 'the worker pool was closed', { pool: this.#options.name });
  }

  #timeout(wanted: keyof typeof TIMEOUTS, timeoutMs: number): SlabPoolError {
    const { size: queued } = this.#queue;
    const { size: running } = this.#running;
    const [what, advice] = TIMEOUTS[wanted];
    return new SlabPoolError(
      'ERR_SLABPOOL_TIMEOUT',
      `${what} within ${timeoutMs} ms: ${running} run, ${queued} wait for a thread. ${advice}`,
      { pool: this.#options.name, details: { timeoutMs, running, queued } },
    );
  }
}

function refuseAll(queue: WaitQueue<null, void>, reason: () => SlabPoolError): void {
  for (const waiter of queue) queue.refuse(waiter, reason());
}
