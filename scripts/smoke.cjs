'use strict';
// node scripts/smoke.cjs [native | js]: what smoke.mjs does not see: the package by require(), in two threads, and that import gives the
// same copy of it.
const assert = require('node:assert/strict');
const { isMainThread, Worker, workerData } = require('node:worker_threads');
const slabpool = require('slabpool');

const { BufferPool, Channel } = slabpool;

if (isMainThread) void main(process.argv[2]);
else void echo();

/** @param {string | undefined} expected */
async function main(expected) {
  assert.deepEqual({ ...(await import('slabpool')) }, { ...slabpool });
  const pool = new BufferPool();
  const { kind, reason } = pool.backend;
  assert.equal(kind, expected ?? kind, reason);
  if (kind === 'native') await threads(pool);
  else assert.throws(() => new Channel(pool), { code: 'ERR_SLABPOOL_BACKEND' });
  pool.close();
  console.log(`${kind} core: ${reason}`);
}

/** @param {import('slabpool').BufferPool} pool */
async function threads(pool) {
  const there = new Channel(pool);
  const back = new Channel(pool);
  const handles = { pool: pool.handle, there: there.handle, back: back.handle };
  const worker = new Worker(__filename, { workerData: handles });
  const ended = new Promise((resolve) => worker.on('exit', resolve).on('error', resolve));
  const lease = pool.acquire(10_000);
  lease.bytes.fill(20);
  await there.send(lease);
  there.close();
  const returned = await back.receive();
  assert.ok(returned !== null);
  assert.ok(returned.bytes.every((byte) => byte === 21));
  returned.release();
  assert.equal(await ended, 0);
}

async function echo() {
  const pool = BufferPool.attach(workerData.pool);
  const back = Channel.attach(pool, workerData.back);
  for await (const lease of Channel.attach(pool, workerData.there)) {
    lease.bytes.fill(lease.bytes[0] + 1);
    await back.send(lease);
  }
  back.close();
  pool.close();
}
