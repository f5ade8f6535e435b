import process from 'node:process';
import { types } from 'node:util';
import { workerData } from 'node:worker_threads';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { Lease } from '../lease/lease.js';
import { BufferPool } from '../pool.js';
import type { Reply, TaskMessage, ThreadData } from './messages.js';
import { Cargo, type Container, discard, isPlain, releaseAll, unpack } from './parcel.js';

/** What the function of a {@link job} has besides its task. */
export interface JobContext {
  /** The pool that the leases are of, as this thread has it. */
  readonly pool: BufferPool;
}

/** What a worker's file exports: {@link job}. */
export type Job = (message: unknown) => Promise<unknown>;

const RESULT = "job(fn), fn's result";

let membership: BufferPool | undefined;
/** Tickets of the latest result, until the next task says that it was read. */
let underWay: readonly number[] = [];

/**
 * What the file of a {@link WorkerPool} exports: a function for its threads. It gets the task, with leases of its own thread where the
 * task had leases; and the leases in its result travel back.
 *
 * Leases of the task are the function's until it has ended: those that it has neither returned, released nor handed over are released
 * then, also if it throws. What it throws rejects the promise of `run()`, with its `code`.
 *
 * ```js
 * import { job } from 'slabpool/worker';
 *
 * export default job(({ block }, { pool }) => {
 *   const out = pool.acquire(block.size);
 *   const length = compress(block.view(), out.bytes);
 *   return { out, length };
 * });
 * ```
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export function job<T, R>(fn: (task: T, context: JobContext) => R | PromiseLike<R>): Job {
  if (typeof fn !== 'function') throw invalidArg('job(fn)', 'a function', fn);
  return async (message): Promise<Reply> => {
    const { slabpool, withdrawn } = (message ?? {}) as Partial<TaskMessage>;
    if (slabpool !== 'task') throw invalidArg('job(fn)', 'to be called by a WorkerPool', message);
    underWay = [];
    if (withdrawn) return { slabpool: 'result', value: undefined, places: [], tickets: [] };
    try {
      return await perform(fn, message as TaskMessage, join());
    } catch (error) {
      const code = types.isNativeError(error) ? (error as { code?: unknown }).code : undefined;
      return { slabpool: 'thrown', thrown: cloneable(error), code: typeof code === 'string' ? code : undefined };
    }
  };
}

/** This thread's part of the pool, which it has as long as it lives. */
function join(): BufferPool {
  const { slabpool, pool } = (workerData ?? {}) as Partial<ThreadData>;
  if (slabpool !== 'worker-pool') {
    throw new SlabPoolError('ERR_SLABPOOL_BACKEND', 'job(fn): this is no thread of a WorkerPool, so it has no pool');
  }
  membership ??= attach(pool as ThreadData['pool']);
  return membership;
}

function attach(handle: ThreadData['pool']): BufferPool {
  const pool = BufferPool.attach(handle);
  // What a thread that ends by itself has posted last may be lost, and its tickets are good for ever. Before the pool's own listener.
  process.prependListener('exit', () => discard(underWay, pool));
  return pool;
}

async function perform<T, R>(
  fn: (task: T, context: JobContext) => R | PromiseLike<R>,
  message: TaskMessage,
  pool: BufferPool,
): Promise<Reply> {
  const { value: task, leases } = unpack(message, pool);
  const stay = new Set<Lease>(leases);
  try {
    const result = await fn(task as T, { pool });
    let cargo: Cargo;
    try {
      cargo = new Cargo(result, pool, RESULT);
      checkCloneable(cargo.value);
    } catch (error) {
      releaseAll(result);
      throw error;
    }
    for (const lease of cargo.leases) stay.delete(lease);
    return reply(cargo, pool);
  } finally {
    for (const lease of stay) lease[Symbol.dispose]();
  }
}

/**
 * A result that hands its leases over in the moment when it is cloned, after all else in it: where that cannot be cloned, no ticket
 * is made that nobody would ever know.
 */
function reply(cargo: Cargo, pool: BufferPool): Reply {
  const { value, places } = cargo;
  return {
    slabpool: 'result',
    value,
    places,
    get tickets() {
      underWay = cargo.send(pool);
      return underWay;
    },
  };
}

/**
 * Refuses the functions and symbols at the top level of a result. What cannot be cloned deeper in it is noticed by the cloning alone,
 * which the thread does not survive.
 */
function checkCloneable(value: unknown): void {
  const key = Array.isArray(value)
    ? value.findIndex(isUncloneable)
    : isPlain(value)
      ? (Object.keys(value).find((name) => isUncloneable(value[name])) ?? -1)
      : -1;
  const [what, part] = key === -1 ? [RESULT, value] : [`${RESULT}, '${key}'`, (value as Container)[key]];
  if (isUncloneable(part)) throw invalidArg(what, 'what can be cloned', part);
}

function isUncloneable(value: unknown): boolean {
  return typeof value === 'function' || typeof value === 'symbol';
}

function cloneable(error: unknown): unknown {
  try {
    structuredClone(error);
    return error;
  } catch {
    return new Error(String((error as { message?: unknown } | null)?.message ?? typeof error));
  }
}
