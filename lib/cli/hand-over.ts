import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { PoolHandle } from '../handle.js';
import { BufferPool } from '../pool.js';

/** Milliseconds. */
const PATIENCE = 10_000;
const SENT = 0x5a;
const ANSWERED = 0xa5;

interface Order {
  readonly slabpoolHandOver: PoolHandle;
  readonly ticket: number;
}

/** Hands a buffer to a worker, which is this file as well, and takes it back; throws when anything is not as it should be. */
export async function handOver(pool: BufferPool): Promise<void> {
  const lease = pool.acquire(5000);
  lease.bytes.fill(SENT);
  const { buffer } = lease;
  const workerData: Order = { slabpoolHandOver: pool.handle, ticket: lease.transfer() };
  const worker = new Worker(new URL(import.meta.url), { workerData });
  try {
    const [ticket] = (await once(worker, 'message', { signal: AbortSignal.timeout(PATIENCE) })) as [number];
    const back = pool.adopt(ticket);
    if (back.buffer !== buffer) throw new Error('another buffer came back');
    expectAll(back.bytes, ANSWERED);
    back.release();
  } finally {
    await worker.terminate();
  }
}

function answer({ slabpoolHandOver, ticket }: Order): void {
  const pool = BufferPool.attach(slabpoolHandOver);
  const lease = pool.adopt(ticket);
  expectAll(lease.bytes, SENT);
  lease.bytes.fill(ANSWERED);
  parentPort?.postMessage(lease.transfer());
  pool.close();
}

function expectAll(bytes: Buffer, value: number): void {
  if (!bytes.every((byte) => byte === value)) throw new Error(`expected every byte to be ${value}`);
}

if (!isMainThread && workerData?.slabpoolHandOver !== undefined) answer(workerData as Order);
