import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { BufferPool, type BufferPoolOptions } from 'slabpool';
import { WorkerPool, type WorkerPoolOptions } from 'slabpool/worker';
import { expect, onTestFinished } from 'vitest';
import { checkBooks, KiB, MiB } from './backends.js';
import { fixture } from './child.js';

export const JOBS = pathToFileURL(fixture('workers/jobs.mjs'));

/** A worker pool and its BufferPool, which are closed, and looked through, when the test has ended. */
export function makeWorkers(options: Partial<WorkerPoolOptions> = {}, poolOptions: BufferPoolOptions = {}) {
  // Blocks of threads that were killed are free again soon.
  const pool = new BufferPool({ maxBytes: 16 * MiB, epochMs: 20, backend: 'native', ...poolOptions });
  // biome-ignore lint/suspicious/noExplicitAny: tasks and results of all kinds
  const workers = new WorkerPool<any, any>({ filename: JOBS, pool, maxThreads: 2, ...options });
  onTestFinished(async () => {
    await workers.close({ timeout: 0 }).catch(() => {});
    // A test may have closed it.
    if (isClosed(pool)) return;
    await nothingOut(pool);
    checkBooks(pool);
    pool.close();
  });
  return { pool, workers };
}

function isClosed(pool: BufferPool): boolean {
  try {
    pool.outstanding();
    return false;
  } catch {
    return true;
  }
}

/** Waits until no block is leased, under way or left by a dead thread. */
export async function nothingOut(pool: BufferPool): Promise<void> {
  const out = () => {
    pool.trim();
    const { outstanding, leasedBytes, inFlightBytes, quarantinedBytes } = pool.stats();
    return { outstanding, leasedBytes, inFlightBytes, quarantinedBytes };
  };
  const nothing = { outstanding: 0, leasedBytes: 0, inFlightBytes: 0, quarantinedBytes: 0 };
  for (let tries = 0; tries < 2000 && Object.values(out()).some((figure) => figure > 0); tries++) await setTimeout(5);
  expect(out()).toEqual(nothing);
}

/** What keeps a job at a thread until it is told to go on. */
export class Gate {
  readonly words = new Int32Array(new SharedArrayBuffer(8));

  /** The job has begun. */
  async begun(): Promise<void> {
    while (Atomics.load(this.words, 0) === 0) await setTimeout(1);
  }

  open(): void {
    Atomics.store(this.words, 1, 1);
    Atomics.notify(this.words, 1);
  }
}

/** A lease of `size` bytes, each of them `value`. */
export function filled(pool: BufferPool, size = 4 * KiB, value = 1) {
  const lease = pool.acquire(size);
  lease.bytes.fill(value);
  return lease;
}
