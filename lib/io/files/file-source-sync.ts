import { closeSync, fstatSync, openSync, type PathLike, readSync } from 'node:fs';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { type Chunk, type ChunkSourceSync, owned } from '../chunk.js';
import { PullSourceSync } from '../pull-source.js';
import { endedEarly } from '../refusals.js';
import {
  checkFileSyncOptions,
  descriptorOf,
  type FileLike,
  type FilePart,
  type FileSyncOptions,
} from './file-options.js';

/**
 * A file as chunks that are read as they are asked for.
 *
 * Ownership  Closes the descriptor if it has opened it: at the end, at an error, or when it is left early.
 */
class FileSourceSync extends PullSourceSync {
  readonly #file: FileLike;
  /** Of what was open already, or null. */
  readonly #given: number | null;
  readonly #part: FilePart;
  #fd = -1;
  #opened = false;
  #closed = false;
  #seekable = true;
  #position: number;

  constructor(pool: BufferPool, file: FileLike, part: FilePart) {
    super(pool);
    this.#file = file;
    this.#given = descriptorOf('fromFileSync(pool, file, options)', file, pool);
    this.#part = part;
    this.#position = part.start;
  }

  pull(): Chunk | null {
    if (this.#closed) return null;
    try {
      const chunk = this.#read();
      if (chunk === null) this.close();
      return chunk;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #read(): Chunk | null {
    const { block, end } = this.#part;
    if (this.#position >= end) return null;
    if (this.#fd === -1) this.#open();
    const lease: Lease = this.pool.acquire(block);
    const from = Math.min(this.headroom, block >> 1);
    const want = Math.min(block - from, end - this.#position);
    let read = 0;
    try {
      const at = this.#seekable ? this.#position : null;
      read = readSync(this.#fd, lease.bytes, from, want, at);
    } finally {
      if (read === 0) lease.release();
    }
    if (read === 0) {
      if (end !== Infinity) throw endedEarly(this.pool, this.#position, end);
      return null;
    }
    this.#position += read;
    return owned(lease, from, from + read);
  }

  #open(): void {
    this.#fd = this.#given ?? openSync(this.#file as PathLike, 'r');
    this.#opened = this.#given === null;
    this.#seekable = fstatSync(this.#fd).isFile();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#opened) closeSync(this.#fd);
  }
}

/**
 * A file, read when each chunk is asked for. Of a regular file, from `start` on; of what cannot be read from anywhere (a pipe), from
 * where it stands.
 * @throws `ERR_SLABPOOL_INVALID_ARG`; while it is gone through `ERR_SLABPOOL_TRUNCATED` if the file ends before `end`, as `acquire()`,
 * and Node's errors
 */
export function fromFileSync(pool: BufferPool, file: FileLike, options?: FileSyncOptions): ChunkSourceSync {
  return new FileSourceSync(pool, file, checkFileSyncOptions('fromFileSync(pool, file, options)', pool, options));
}
