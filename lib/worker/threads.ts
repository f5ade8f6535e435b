import { createRequire } from 'node:module';
import type { Piscina } from 'piscina';
import { outside } from '../base/runtime.js';
import { SlabPoolError } from '../errors.js';
import type { Durations } from '../stats/worker-stats.js';
import type { TaskMessage, ThreadData } from './messages.js';
import type { ResolvedWorkerOptions } from './options.js';

/** By this property of a task piscina's load balancer knows it. It is no part of the message, as symbols are not cloned. */
const ERRAND = Symbol.for('Piscina.queueOptions');

/** An errand is a job that a thread was given, or will be as soon as it has started. */
export class Errand {
  readonly message: TaskMessage;
  /** The function's name among the file's exports. */
  readonly name: string;
  /** Set when a thread has it. */
  threadId: number | undefined;
  /** Settles when the thread that it was taken away from is gone. */
  ended: Promise<unknown> | undefined;

  constructor(message: TaskMessage, name: string) {
    this.message = Object.assign(message, { [ERRAND]: this });
    this.name = name;
  }
}

/** What threads ask of the pool that they belong to. */
interface ThreadsOwner {
  /** A thread has become free. */
  freed(): void;
}

/**
 * The threads of a worker pool, which piscina starts, ends and posts to. Nothing else knows of piscina.
 *
 * What       Piscina is given no more jobs than there may be threads: its own queue keeps no order once jobs can be aborted, and stands
 *            still when the last thread dies. So a job that it has is with a thread, or with one that starts.
 * Callers    `WorkerPool`: {@link take} a place, then {@link give} an errand for it.
 * Ownership  The event loops of threads turn between jobs (`atomics: 'disabled'`), so that they hear of whoever waits for budget.
 *            Threads without a job keep no process alive.
 * Identity   `busy` == places taken == errands that piscina has, or whose threads are being ended.
 */
export class Threads {
  busy = 0;
  /** Threads that died with a job, or by an error between jobs. */
  deaths = 0;
  /** The first error of a thread that had no job which could be told of it. `recent`: no job has come to its end since. */
  untold: { readonly error: unknown; recent: boolean } | undefined;
  readonly #owner: ThreadsOwner;
  readonly #options: ResolvedWorkerOptions;
  readonly #piscina: Piscina;
  /** The last errand that each thread was given. */
  readonly #latest = new Map<number, Errand>();
  readonly #ending = new Set<number>();
  /** Threads fail to start: why the last one did, if it said so. While it is set, piscina lets go of what it was given. */
  #failing: { cause: unknown } | null = null;
  #latestError: unknown;
  #destroyed: Promise<void> | undefined;

  /** @throws `ERR_SLABPOOL_DEPENDENCY`, `ERR_SLABPOOL_BACKEND`, `ERR_SLABPOOL_CLOSED` */
  constructor(owner: ThreadsOwner, options: ResolvedWorkerOptions) {
    this.#owner = owner;
    this.#options = options;
    const { Piscina, FixedQueue } = loadPiscina(options.name);
    const data: ThreadData = { slabpool: 'worker-pool', pool: options.pool.handle };
    this.#piscina = outside(
      () =>
        new Piscina({
          filename: options.filename,
          minThreads: options.minThreads,
          maxThreads: options.maxThreads,
          idleTimeout: options.idleTimeoutMs,
          workerData: data,
          atomics: 'disabled',
          taskQueue: new FixedQueue(),
          stricterFIFO: true,
          loadBalancer: (task, workers) => {
            const idle = workers.find(({ id, currentUsage }) => currentUsage === 0 && !this.#ending.has(id));
            if (idle === undefined) return null;
            const errand = task[ERRAND as never] as Errand;
            errand.threadId = idle.id;
            this.#latest.set(idle.id, errand);
            return idle;
          },
        }),
    );
    this.#piscina.on('error', (error) => {
      this.deaths++;
      this.#latestError = error;
      this.untold ??= { error, recent: true };
    });
    // It is not off the list yet.
    this.#piscina.on('workerDestroy', () => queueMicrotask(() => this.#lookAfter()));
  }

  /** Whether an errand can be given. */
  get free(): boolean {
    return this.busy < this.#options.maxThreads && this.#failing === null;
  }

  /** Threads that there are, starting or being ended. */
  get size(): number {
    return this.#piscina.threads.length;
  }

  get utilization(): number {
    return this.#piscina.utilization;
  }

  get runMs(): Durations {
    const { mean, p50, p99, max } = this.#piscina.histogram.runTime;
    return max > 0 ? { mean, p50, p99, max } : { mean: 0, p50: 0, p99: 0, max: 0 };
  }

  /** Takes a place, for an errand that will be given. */
  take(): void {
    this.busy++;
  }

  /**
   * Has a thread do the errand.
   * @returns what it answers
   * @throws `ERR_SLABPOOL_WORKER_DIED`, and what piscina says of messages that cannot be cloned and files that do not load
   */
  async give(errand: Errand): Promise<unknown> {
    try {
      const answer = await outside(() => this.#piscina.run(errand.message, { name: errand.name }));
      if (this.untold !== undefined) this.untold.recent = false;
      return answer;
    } catch (error) {
      throw this.#explain(errand, error);
    } finally {
      if (this.#latest.get(errand.threadId as number) === errand) this.#latest.delete(errand.threadId as number);
      if (errand.ended === undefined) this.leave();
      else void errand.ended.then(() => this.leave());
    }
  }

  /** Leaves a place that was taken. */
  leave(): void {
    this.busy--;
    this.#owner.freed();
  }

  /** Nobody wants the answer any more: ends the thread that has the errand. */
  end(errand: Errand): void {
    errand.message.withdrawn = true;
    const { threadId } = errand;
    if (threadId === undefined || this.#latest.get(threadId) !== errand) return;
    const thread = this.#piscina.threads.find((one) => one.threadId === threadId);
    if (thread === undefined) return;
    this.#ending.add(threadId);
    errand.ended = thread.terminate().finally(() => this.#ending.delete(threadId));
  }

  /** Ends all threads. */
  destroy(): Promise<void> {
    this.#destroyed ??= this.#piscina.destroy();
    return this.#destroyed;
  }

  #explain(errand: Errand, cause: unknown): unknown {
    const context = { pool: this.#options.name };
    if (this.#failing !== null) {
      const reason = this.#failing.cause === undefined ? 'they end before they are ready' : saidBy(this.#failing.cause);
      const message = `no thread can be started with ${this.#options.filename}: ${reason}`;
      return new SlabPoolError('ERR_SLABPOOL_WORKER_DIED', message, { ...context, cause: this.#failing.cause });
    }
    const { threadId } = errand;
    if (threadId === undefined || this.#piscina.threads.some((one) => one.threadId === threadId)) return cause;
    if (!errand.message.withdrawn && this.#destroyed === undefined) this.deaths++;
    const message = `the thread died that had the job: ${saidBy(cause)}. What else it had is released, after epochMs at the latest`;
    return new SlabPoolError('ERR_SLABPOOL_WORKER_DIED', message, { ...context, cause });
  }

  /** A thread is gone. If it was the last one, piscina would leave those errands alone that no thread has. */
  #lookAfter(): void {
    if (this.busy === 0 || this.size > 0 || this.#failing !== null || this.#destroyed !== undefined) return;
    if (this.#piscina.queueSize === 0) return;
    const cause = this.#latestError;
    this.#latestError = undefined;
    // Those errands are told.
    if (this.untold?.recent) this.untold = undefined;
    this.#failing = { cause };
    this.#piscina.destroy().then(() => {
      this.#failing = null;
      this.#owner.freed();
    });
  }
}

/** What an error of a thread says, if that could be sent: of a `DataCloneError` there is nothing left. */
export function saidBy(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return String(message || 'by an error that cannot be cloned, such as that its result cannot be');
}

/** Piscina is an optional peer dependency, which only this needs, and only when there is a pool. */
function loadPiscina(pool: string): typeof import('piscina') {
  const require = createRequire(import.meta.url);
  try {
    // Each loader says in its own way that it is not there.
    require.resolve('piscina');
  } catch (cause) {
    throw new SlabPoolError(
      'ERR_SLABPOOL_DEPENDENCY',
      "a WorkerPool needs the package 'piscina', which is not installed here: npm install piscina",
      { pool, details: { package: 'piscina' }, cause },
    );
  }
  return require('piscina');
}
