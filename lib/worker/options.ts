import { availableParallelism } from 'node:os';
import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkOptions } from '../base/check-options.js';
import { type Check, integer, poolName } from '../base/option-checks.js';
import { invalidArg } from '../errors.js';
import { heapOf } from '../heap/heap-of.js';
import type { BufferPool } from '../pool.js';

/** The most threads that a pool may have, which leaves room for others at the same BufferPool. */
const MOST_THREADS = 1024;

/** Options of a {@link WorkerPool}. What is misspelt, ill-typed or out of range is an `ERR_SLABPOOL_INVALID_ARG`. */
export interface WorkerPoolOptions {
  /** The file that the threads run, an ES module or CommonJS, which exports what `job()` made: an absolute path, or a `file:` URL. */
  filename: string | URL;
  /** The pool that the leases in tasks and results are of. On the native core. It stays open when the WorkerPool is closed. */
  pool: BufferPool;
  /** The WorkerPool's name in errors and stats; not empty. Default: `'workers-N'`, counted in each thread. */
  name?: string;
  /** Threads that are started at once and kept when idle, 0 to `maxThreads`. Default: 0. */
  minThreads?: number;
  /** The most threads, 1 to 1024; each runs one job at a time. Default: `os.availableParallelism()`. */
  maxThreads?: number;
  /** {@link WorkerPool.ready} waits while so many jobs wait for a thread; 1 to 2^20. Default: `maxThreads`. */
  maxQueue?: number;
  /** Milliseconds, 0 to 2^31 - 1, after which a thread beyond `minThreads` that has no job is ended. Default: 10,000. */
  idleTimeoutMs?: number;
}

/** The options of a worker pool, checked, with the defaults filled in. */
export type ResolvedWorkerOptions = Required<Omit<WorkerPoolOptions, 'filename'>> & { filename: string };

/** Every option with its unit, default and range, in the order in which they are checked. */
const OPTIONS: {
  readonly [Key in keyof ResolvedWorkerOptions]: Check<ResolvedWorkerOptions[Key], ResolvedWorkerOptions>;
} = {
  name: poolName('workers'),
  filename: (value, key) => {
    const expected = "an absolute path, or a 'file:' URL";
    const url = value instanceof URL || (typeof value === 'string' && value.startsWith('file:'));
    const path = url ? pathOf(value) : value;
    if (typeof path !== 'string' || !isAbsolute(path)) throw invalidArg(`option '${key}'`, expected, value);
    return path;
  },
  pool: (value, key) => {
    if (heapOf(value) === undefined) throw invalidArg(`option '${key}'`, 'a BufferPool', value);
    return value as BufferPool;
  },
  maxThreads: integer('threads', availableParallelism(), 1, MOST_THREADS),
  minThreads: integer('threads', 0, 0, ({ maxThreads }) => maxThreads),
  maxQueue: integer('jobs', ({ maxThreads }) => maxThreads, 1, 2 ** 20),
  idleTimeoutMs: integer('milliseconds', 10_000, 0, 2 ** 31 - 1),
};

/** @throws `ERR_SLABPOOL_INVALID_ARG` */
export function resolveWorkerOptions(options: WorkerPoolOptions): ResolvedWorkerOptions {
  const keys = Object.keys(OPTIONS) as (keyof ResolvedWorkerOptions)[];
  const what = 'new WorkerPool(options)';
  if (options === undefined) throw invalidArg(what, "an object with the options 'filename' and 'pool'", options);
  const given = checkOptions(what, options, keys);
  const resolved: ResolvedWorkerOptions = Object.create(null);
  for (const key of keys) Object.assign(resolved, { [key]: OPTIONS[key](given[key], key, resolved) });
  return resolved;
}

function pathOf(url: string | URL): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
