import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { abortReason, checkSignal, onAbort, throwIfAborted } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import type { Chunk } from '../chunk.js';
import { type FileTarget, flushChunksToFile } from './flush-file.js';
import { flushChunksToStream } from './flush-stream.js';

/** What a writer can be flushed into: a file descriptor, an open file, or a stream. */
export type FlushTarget = number | FileHandle | Writable;

/** Options of a flush. */
export interface FlushOptions {
  /** Ends the flush; the promise rejects with `signal.reason`. Default: none. */
  signal?: AbortSignal;
}

/** The flushes of one writer, each of which begins when the one before has ended: what was written first comes first. */
export class FlushQueue {
  #last: Promise<unknown> | null = null;

  /** @throws `ERR_SLABPOOL_INVALID_ARG`, the signal's reason */
  check(target: FlushTarget, options: FlushOptions | undefined, pool: string): AbortSignal | undefined {
    const { signal } = checkOptions('flush(target, options)', options, ['signal'], pool);
    checkSignal('flush(target, options)', signal, pool);
    if (!isFile(target) && !isStream(target)) {
      throw invalidArg('flush(target), target', 'a file descriptor, a FileHandle or a Writable', target, pool);
    }
    throwIfAborted(signal);
    return signal;
  }

  /** @param chunks the queue's from now on */
  async add(target: FlushTarget, chunks: Chunk[], signal: AbortSignal | undefined): Promise<void> {
    const before = this.#last;
    const flush = this.#run(before, target, chunks, signal);
    const last = Promise.allSettled([before, flush]);
    this.#last = last;
    try {
      await flush;
    } finally {
      if (this.#last === last) this.#last = null;
    }
  }

  async #run(
    before: Promise<unknown> | null,
    target: FlushTarget,
    chunks: Chunk[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      if (before !== null) await unlessAborted(before, signal);
      if (isFile(target)) await flushChunksToFile(target, chunks, signal);
      else await flushChunksToStream(target, chunks, signal);
    } finally {
      for (const chunk of chunks.splice(0)) chunk.release();
    }
  }
}

function unlessAborted(before: Promise<unknown>, signal: AbortSignal | undefined): Promise<unknown> {
  if (signal === undefined) return before;
  return new Promise((resolve, reject) => {
    const forget = onAbort(signal, () => reject(abortReason(signal)));
    void before.then(resolve).finally(forget);
  });
}

function isFile(target: FlushTarget): target is FileTarget {
  if (typeof target === 'number') return Number.isInteger(target) && target >= 0;
  const { fd, writev } = (target ?? {}) as Partial<FileHandle>;
  return typeof fd === 'number' && typeof writev === 'function';
}

function isStream(target: FlushTarget): target is Writable {
  const { write, on, off } = (target ?? {}) as Partial<Writable>;
  return typeof write === 'function' && typeof on === 'function' && typeof off === 'function';
}
