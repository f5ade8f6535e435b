import { abortReason, onAbort } from '../base/abort.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import { isReply, type TaskMessage } from './messages.js';
import type { ResolvedWorkerOptions } from './options.js';
import { discard, type Parcel, unpack } from './parcel.js';
import { Errand, type Threads } from './threads.js';

/**
 * The jobs of a worker pool that have a place at its threads.
 *
 * What       Each job settles once: with its result, with what went wrong, or because it was given up; then an answer that comes
 *            nevertheless is thrown away.
 * Callers    `WorkerPool`: {@link take} a place, then {@link perform} a job at it.
 * Ownership  What the tickets of a job and of its answer stand for is released, unless the caller gets it.
 * Identity   Places taken so far == `size` + `completed` + `failed` + `aborted`.
 */
export class Running {
  size = 0;
  completed = 0;
  failed = 0;
  aborted = 0;
  readonly #threads: Threads;
  readonly #options: ResolvedWorkerOptions;
  /** What ends the promises of jobs that threads have. */
  readonly #cuts = new Set<(reason: unknown) => void>();
  #closed = false;

  constructor(threads: Threads, options: ResolvedWorkerOptions) {
    this.#threads = threads;
    this.#options = options;
  }

  take(): void {
    this.#threads.take();
    this.size++;
  }

  /** What comes of a task, for which a place is taken. */
  perform(message: TaskMessage, name: string, signal: AbortSignal | undefined): Promise<unknown> {
    // Between the turn and this.
    if (signal?.aborted) return this.#withdraw(message, 'aborted', abortReason(signal));
    if (this.#closed) return this.#withdraw(message, 'failed', this.cutError());
    return new Promise((resolve, reject) => {
      const { pool } = this.#options;
      const errand = new Errand(message, name);
      let settled = false;
      const settle = (as: 'completed' | 'failed' | 'aborted') => {
        settled = true;
        this.size--;
        this[as]++;
        this.#cuts.delete(cut);
        forget?.();
      };
      const giveUp = (as: 'failed' | 'aborted', reason: unknown) => {
        settle(as);
        reject(reason);
        discard(message.tickets, pool);
      };
      const cut = (reason: unknown) => {
        giveUp('failed', reason);
        this.#threads.end(errand);
      };
      const abort = () => {
        giveUp('aborted', abortReason(signal as AbortSignal));
        this.#threads.end(errand);
      };
      const answered = (answer: unknown) => {
        if (settled) {
          if (isReply(answer) && answer.slabpool === 'result') discard(answer.tickets, pool);
          return;
        }
        try {
          const { value } = this.#read(answer);
          settle('completed');
          resolve(value);
        } catch (error) {
          giveUp('failed', error);
        }
      };
      const failed = (error: unknown) => {
        if (!settled) giveUp('failed', error);
      };
      const forget = signal && onAbort(signal, abort);
      this.#cuts.add(cut);
      this.#threads.give(errand).then(answered, failed);
    });
  }

  /** From now on nothing is performed, and what is, is given up. */
  cutAll(): void {
    this.#closed = true;
    for (const cut of [...this.#cuts]) cut(this.cutError());
  }

  cutError(): SlabPoolError {
    const message = 'the worker pool was closed, and the job had not ended in time';
    return new SlabPoolError('ERR_SLABPOOL_CLOSED', message, { pool: this.#options.name });
  }

  async #withdraw({ tickets }: TaskMessage, as: 'failed' | 'aborted', reason: unknown): Promise<never> {
    this.size--;
    this[as]++;
    this.#threads.leave();
    discard(tickets, this.#options.pool);
    throw reason;
  }

  /** The result in an answer. @throws what the function has thrown */
  #read(answer: unknown): { value: unknown } {
    const { filename, name } = this.#options;
    if (!isReply(answer)) {
      throw invalidArg(filename, "exports that are made with job() of 'slabpool/worker'", answer, name);
    }
    if (answer.slabpool === 'result') return this.#unpack(answer);
    const { thrown, code } = answer;
    throw code === undefined ? thrown : Object.assign(thrown as Error, { code });
  }

  #unpack(answer: Parcel): { value: unknown } {
    try {
      return unpack(answer, this.#options.pool);
    } catch (cause) {
      if (!(cause instanceof SlabPoolError) || cause.code !== 'ERR_SLABPOOL_STALE_TICKET') throw cause;
      const message = 'the thread died after the job, and what it returned is gone with it';
      throw new SlabPoolError('ERR_SLABPOOL_WORKER_DIED', message, { pool: this.#options.name, cause });
    }
  }
}
