import { abortReason, onAbort } from '../../base/abort.js';
import type { BufferPool } from '../../pool.js';
import type { Chunk } from '../chunk.js';
import { PullSource } from '../pull-source.js';

/**
 * A source over an input of somebody else's: its ends.
 *
 * What       The first end counts: the input's own, its failure, the signal's abort, or {@link close}. The input is given up at each
 *            but its own; after a failure or an abort, each pull rejects with it until the source is closed.
 * Callers    As {@link PullSource}.
 * Ownership  The input is this source's from the begin on.
 */
export abstract class GuardedSource extends PullSource {
  readonly #stop = new AbortController();
  #state: 'open' | 'ended' | 'failed' | 'closed' = 'open';
  #failure: unknown;
  #cancelled: Promise<void> = Promise.resolve();
  #pulling: Promise<Chunk | null> | null = null;
  readonly #forget: (() => void) | undefined;

  constructor(pool: BufferPool, signal: AbortSignal | undefined) {
    super(pool);
    if (signal?.aborted) queueMicrotask(() => this.#fail(abortReason(signal)));
    else this.#forget = signal && onAbort(signal, () => this.#fail(abortReason(signal)));
  }

  /** The next chunk, or null at the end of the input; or after {@link cancel}, whatever comes. */
  protected abstract fill(signal: AbortSignal): Promise<Chunk | null>;

  /** Gives the input up, before its end. A `fill()` that waits for it settles. */
  protected abstract cancel(reason: unknown): Promise<void>;

  pull(): Promise<Chunk | null> {
    const pulling = this.#pull();
    this.#pulling = pulling;
    return pulling;
  }

  async #pull(): Promise<Chunk | null> {
    if (this.#state !== 'open') return this.#over();
    let chunk: Chunk | null;
    try {
      chunk = await this.fill(this.#stop.signal);
    } catch (error) {
      this.#fail(error);
      return this.#over();
    }
    if (!this.#open()) {
      chunk?.[Symbol.dispose]();
      return this.#over();
    }
    if (chunk === null) {
      this.#state = 'ended';
      this.#forget?.();
    }
    return chunk;
  }

  /** Not narrowed: the state changes during an await. */
  #open(): boolean {
    return this.#state === 'open';
  }

  #over(): null {
    if (this.#state === 'failed') throw this.#failure;
    return null;
  }

  #fail(error: unknown): void {
    if (this.#state !== 'open') return;
    this.#state = 'failed';
    this.#failure = error;
    // What has failed first is told; that it cannot be closed, too, says nothing more.
    this.#giveUp(error).catch(() => {});
  }

  #giveUp(reason: unknown): Promise<void> {
    this.#forget?.();
    this.#stop.abort(reason);
    this.#cancelled = this.cancel(reason);
    return this.#cancelled;
  }

  async close(): Promise<void> {
    if (this.#state === 'open') {
      this.#state = 'closed';
      this.#giveUp(undefined).catch(() => {});
    } else if (this.#state === 'failed') {
      this.#state = 'closed';
      await this.#cancelled.catch(() => {});
      this.#cancelled = Promise.resolve();
    }
    await Promise.allSettled([this.#pulling]);
    await this.#cancelled;
  }
}
