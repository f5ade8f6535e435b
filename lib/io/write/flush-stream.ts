import { errorMonitor } from 'node:events';
import type { Writable } from 'node:stream';
import { abortReason, onAbort, throwIfAborted } from '../../base/abort.js';
import type { Chunk } from '../chunk.js';
import { view } from './flush-file.js';

/**
 * Chunks on their way into a stream.
 *
 * What       Writes them one by one, as long as the stream takes them, then waits for it to drain.
 * Ownership  A chunk that was written is the stream's until its callback, or until the stream has failed or closed; those that were
 *            not are released when the flush ends.
 */
class StreamFlush {
  readonly #writable: Writable;
  readonly #waiting: Chunk[];
  /** In the stream's hands. */
  readonly #written = new Set<Chunk>();
  readonly #resolve: () => void;
  readonly #reject: (reason: unknown) => void;
  #settled = false;
  #forgetSignal: (() => void) | undefined;

  constructor(writable: Writable, chunks: Chunk[], resolve: () => void, reject: (reason: unknown) => void) {
    this.#writable = writable;
    this.#waiting = chunks;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(signal: AbortSignal | undefined): void {
    const writable = this.#writable;
    writable.on('drain', this.#onDrain).on('error', this.#onError).on('close', this.#onClose);
    writable.on(errorMonitor, this.#onGone);
    if (signal !== undefined) this.#forgetSignal = onAbort(signal, () => this.#settle(abortReason(signal)));
    this.#next();
  }

  #next(): void {
    const writable = this.#writable;
    for (;;) {
      if (this.#settled) return;
      const chunk = this.#waiting[0];
      if (chunk === undefined) {
        if (this.#written.size === 0) this.#settle();
        return;
      }
      if (writable.destroyed || writable.writableEnded) {
        this.#onClose();
        return;
      }
      this.#waiting.shift();
      this.#written.add(chunk);
      let goesOn: boolean;
      try {
        goesOn = writable.write(view(chunk), (error) => this.#done(chunk, error));
      } catch (error) {
        this.#done(chunk, error);
        return;
      }
      if (!goesOn) {
        // It may have drained before its answer; and the last chunk is waited for anyway.
        if (writable.writableNeedDrain && this.#waiting.length > 0) return;
      }
    }
  }

  #done(chunk: Chunk, error: unknown): void {
    if (this.#written.delete(chunk)) chunk.release();
    if (error !== null && error !== undefined) {
      // The stream emits what it has told the callback, in a turn to come.
      if (!this.#settled) this.#writable.once('error', () => {});
      this.#settle(error);
    } else if (this.#waiting.length === 0 && this.#written.size === 0) {
      this.#settle();
    }
    this.#forgetIfOver();
  }

  readonly #onDrain = () => this.#next();
  readonly #onError = (error: unknown) => this.#settle(error);
  readonly #onClose = () => {
    this.#onGone();
    const error = new Error('the stream was closed, or ended, before everything was written to it');
    this.#settle(this.#writable.errored ?? Object.assign(error, { code: 'ERR_STREAM_PREMATURE_CLOSE' }));
  };
  /** No callback need come any more. */
  readonly #onGone = () => {
    for (const chunk of this.#written) chunk.release();
    this.#written.clear();
    this.#forgetIfOver();
  };

  #settle(...failed: [] | [reason: unknown]): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#forgetSignal?.();
    this.#writable.off('drain', this.#onDrain).off('error', this.#onError);
    for (const chunk of this.#waiting.splice(0)) chunk.release();
    this.#forgetIfOver();
    if (failed.length === 0) this.#resolve();
    else this.#reject(failed[0]);
  }

  #forgetIfOver(): void {
    if (!this.#settled || this.#written.size > 0) return;
    this.#writable.off('close', this.#onClose).off(errorMonitor, this.#onGone);
  }
}

/**
 * Writes all, in order; resolves when the stream has taken the last of them. A signal ends it at once: what the stream has by then stays
 * its own until its callbacks.
 * @param chunks the flush's from now on
 */
export async function flushChunksToStream(
  writable: Writable,
  chunks: Chunk[],
  signal: AbortSignal | undefined,
): Promise<void> {
  throwIfAborted(signal);
  await new Promise<void>((resolve, reject) => new StreamFlush(writable, chunks, resolve, reject).start(signal));
}
