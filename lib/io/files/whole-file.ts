import { close, closeSync, fstat, fstatSync, open, openSync, type PathLike, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { abortReason } from '../../base/abort.js';
import { checkWaitOptions, type WaitOptions } from '../../base/wait-options.js';
import type { Lease } from '../../lease/lease.js';
import type { BufferPool } from '../../pool.js';
import { type Chunk, owned } from '../chunk.js';
import { ByteReader, ByteReaderSync } from '../read/byte-reader.js';
import { endedEarly } from '../refusals.js';
import { checkPool, descriptorOf, type FileLike } from './file-options.js';
import { fromFile } from './file-source.js';
import { fromFileSync } from './file-source-sync.js';

const openFile = promisify(open);
const closeFile = promisify(close);
const statFile = promisify(fstat);
const readFile = promisify(read);

/**
 * A whole file in one lease. Above `maxPooledSize` that is an oversize one. What has no size before it is read (a pipe, `/proc`) is read
 * until its end.
 * @param options of the waiting for room
 * @throws `ERR_SLABPOOL_TRUNCATED` if the file shrinks while it is read, as `acquireAsync()`, and Node's errors
 */
export async function readWhole(pool: BufferPool, file: FileLike, options?: WaitOptions): Promise<Chunk> {
  checkPool('readWhole(pool, file, options)', pool);
  const { signal } = checkWaitOptions('readWhole(pool, file, options)', options, pool.name);
  if (signal?.aborted) throw abortReason(signal);
  const given = descriptorOf('readWhole(pool, file, options)', file, pool);
  const fd = given ?? (await openFile(file as PathLike, 'r'));
  try {
    const found = await statFile(fd);
    if (!found.isFile() || found.size === 0) {
      return await readUnsized(pool, fd, signal);
    }
    const { size } = found;
    const lease = await pool.acquireAsync(size, options);
    try {
      for (let at = 0; at < size; ) {
        if (signal?.aborted) throw abortReason(signal);
        const { bytesRead } = await readFile(fd, lease.bytes, at, size - at, at);
        if (bytesRead === 0) throw endedEarly(pool, at, size);
        at += bytesRead;
      }
    } catch (error) {
      lease.release();
      throw error;
    }
    return owned(lease, 0, size);
  } finally {
    if (given === null) await closeFile(fd);
  }
}

async function readUnsized(pool: BufferPool, fd: number, signal: AbortSignal | undefined): Promise<Chunk> {
  const reader = new ByteReader(fromFile(pool, fd, signal ? { signal } : {}));
  try {
    while (await reader.read());
    return reader.take(reader.length);
  } finally {
    await reader.close();
  }
}

/**
 * As {@link readWhole}, synchronously.
 * @throws `ERR_SLABPOOL_TRUNCATED` if the file shrinks while it is read, as `acquire()`, and Node's errors
 */
export function readWholeSync(pool: BufferPool, file: FileLike): Chunk {
  checkPool('readWholeSync(pool, file)', pool);
  const given = descriptorOf('readWholeSync(pool, file)', file, pool);
  const fd = given ?? openSync(file as PathLike, 'r');
  try {
    const found = fstatSync(fd);
    return found.isFile() && found.size > 0 ? readSized(pool, fd, found.size) : readUnsizedSync(pool, fd);
  } finally {
    if (given === null) closeSync(fd);
  }
}

function readSized(pool: BufferPool, fd: number, size: number): Chunk {
  const lease: Lease = pool.acquire(size);
  let at = 0;
  try {
    while (at < size) {
      const bytes = readSync(fd, lease.bytes, at, size - at, at);
      if (bytes === 0) throw endedEarly(pool, at, size);
      at += bytes;
    }
    return owned(lease, 0, size);
  } finally {
    if (at < size) lease.release();
  }
}

function readUnsizedSync(pool: BufferPool, fd: number): Chunk {
  const reader = new ByteReaderSync(fromFileSync(pool, fd));
  try {
    while (reader.read());
    return reader.take(reader.length);
  } finally {
    reader.close();
  }
}
