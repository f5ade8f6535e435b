import { writev, writevSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { throwIfAborted } from '../../base/abort.js';
import type { Bytes } from '../../base/runtime.js';
import { BUSY_MS, isBusy } from '../busy.js';
import { type Chunk, owned } from '../chunk.js';

const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Where chunks are written: a file descriptor, or an open file. */
export type FileTarget = number | FileHandle;

/**
 * Writes all, in order, from the file's position on. What is written is released.
 * @param chunks those that are left are the caller's, also if it throws
 */
export function flushChunksSync(fd: number, chunks: Chunk[]): void {
  while (chunks.length > 0) {
    try {
      written(chunks, writevSync(fd, chunks.map(view)));
    } catch (error) {
      if (!isBusy(error)) throw error;
      Atomics.wait(NEVER, 0, 0, BUSY_MS);
    }
  }
}

/**
 * As {@link flushChunksSync}, without blocking the thread. A signal ends it when the call that runs has returned.
 */
export async function flushChunksToFile(
  target: FileTarget,
  chunks: Chunk[],
  signal: AbortSignal | undefined,
): Promise<void> {
  while (chunks.length > 0) {
    throwIfAborted(signal);
    try {
      const views = chunks.map(view);
      written(
        chunks,
        typeof target === 'number' ? await vectored(target, views) : (await target.writev(views)).bytesWritten,
      );
    } catch (error) {
      if (!isBusy(error)) throw error;
      await setTimeout(BUSY_MS);
    }
  }
}

export function view({ bytes, start, end }: Chunk): Bytes {
  return bytes.subarray(start, end);
}

function vectored(fd: number, views: Bytes[]): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(fd, views, (error, n) => (error === null ? resolve(n) : reject(error)));
  });
}

/** The first `n` bytes of `chunks` are done with. */
function written(chunks: Chunk[], n: number): void {
  let left = n;
  let done = 0;
  for (const { start, end } of chunks) {
    if (left < end - start) break;
    left -= end - start;
    done++;
  }
  for (const chunk of chunks.splice(0, done)) chunk.release();
  const first = chunks[0];
  if (first !== undefined && left > 0) chunks[0] = owned(first.lease, first.start + left, first.end);
}
