import type { PathLike } from 'node:fs';
import { checkSignal } from '../../base/abort.js';
import { checkOptions } from '../../base/check-options.js';
import { invalidArg } from '../../errors.js';
import { BufferPool } from '../../pool.js';

/** A path, a file descriptor, or a `FileHandle` of `node:fs/promises`. What is no path is read, and stays open. */
export type FileLike = PathLike | number | OpenFile;

/** What has a file descriptor, such as a `FileHandle`. */
export interface OpenFile {
  /** The descriptor. */
  readonly fd: number;
}

/** Which bytes of a file, and how many at once. */
export interface FileSyncOptions {
  /** Bytes of a chunk's lease, from 8 KiB to the pool's `maxPooledSize`. Default: 256 KiB, or `maxPooledSize` if that is less. */
  block?: number;
  /** Offset of the first byte. Default: 0, or where a file descriptor stands that cannot be read from anywhere, as of a pipe. */
  start?: number;
  /** Offset behind the last byte. Default: `Infinity`, the end of the file. A file that ends before is an error. */
  end?: number;
}

/** As {@link FileSyncOptions}, and how far to read ahead. */
export interface FileOptions extends FileSyncOptions {
  /** Reads under way or done, beside the chunk that was asked for: an integer from 0 to 64. Default: 2. */
  ahead?: number;
  /** Ends the source: it rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** {@link FileOptions} that were checked. */
export interface FilePart {
  readonly block: number;
  readonly start: number;
  readonly end: number;
  readonly ahead: number;
  readonly signal: AbortSignal | undefined;
}

const DEFAULT_BLOCK = 256 * 1024;
const LEAST_BLOCK = 8 * 1024;
const MOST_AHEAD = 64;

const SYNC_OPTIONS = ['block', 'start', 'end'] as const;
const OPTIONS = [...SYNC_OPTIONS, 'ahead', 'signal'] as const;

/** @throws `ERR_SLABPOOL_INVALID_ARG` */
export function checkPool(what: string, pool: BufferPool): void {
  if (!(pool instanceof BufferPool)) throw invalidArg(`${what}, pool`, 'a BufferPool', pool);
}

/**
 * @param what the public function that was called
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function checkFileOptions(
  what: string,
  pool: BufferPool,
  given: FileOptions | undefined,
  known: readonly (keyof FileOptions)[] = OPTIONS,
): FilePart {
  checkPool(what, pool);
  const most = pool.maxPooledSize;
  const options = checkOptions(what, given, known, pool.name);
  const { block = Math.min(DEFAULT_BLOCK, most), start = 0, end = Infinity, ahead = 2, signal } = options;
  const whole = (name: string, value: number, least: number, limit: number, unit: string) => {
    if (Number.isSafeInteger(value) && value >= least && value <= limit) return;
    throw invalidArg(`${what}, option '${name}'`, `an integer from ${least} to ${limit}${unit}`, value, pool.name);
  };
  whole('block', block, Math.min(LEAST_BLOCK, most), most, ' (bytes), the maxPooledSize of the pool');
  whole('start', start, 0, Number.MAX_SAFE_INTEGER, ' (bytes)');
  if (end !== Infinity) whole('end', end, start, Number.MAX_SAFE_INTEGER, ' (bytes), from start on');
  whole('ahead', ahead, 0, MOST_AHEAD, '');
  checkSignal(what, signal, pool.name);
  return { block, start, end, ahead, signal };
}

/** @throws `ERR_SLABPOOL_INVALID_ARG` */
export function checkFileSyncOptions(what: string, pool: BufferPool, given: FileSyncOptions | undefined): FilePart {
  return checkFileOptions(what, pool, given, SYNC_OPTIONS);
}

/**
 * The descriptor of what is open already, or null for a path.
 * @param what the public function that was called
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function descriptorOf(what: string, file: FileLike, pool: BufferPool): number | null {
  if (typeof file === 'string' || file instanceof Uint8Array || isURL(file)) return null;
  const fd = typeof file === 'number' ? file : (file as Partial<OpenFile> | null | undefined)?.fd;
  if (typeof fd === 'number' && fd === fd >>> 0 && fd < 2 ** 31) return fd;
  throw invalidArg(`${what}, file`, 'a path, a file descriptor or an open FileHandle', file, pool.name);
}

/** Told by its shape, since a URL may be of another realm. */
function isURL(file: unknown): boolean {
  return typeof file === 'object' && file !== null && typeof (file as Partial<URL>).href === 'string';
}
