// node scripts/smoke.mjs [native | js]: about a hundred checks that run wherever JavaScript does, in seconds: which core it is, leases,
// budget, tickets, threads, channels, close, exits. Finds `slabpool` as any program does.
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { BufferPool, Channel, SlabPoolError } from 'slabpool';

const KiB = 1024;

if (isMainThread) await main(process.argv[2]);
else await echo();

/** @param {string | undefined} expected */
async function main(expected) {
  let passed = 0;
  /** @type {string[]} */
  const failures = [];
  /** @param {string} what @param {unknown} holds */
  const check = (what, holds) => {
    if (holds) passed++;
    else failures.push(what);
  };
  /** @param {string} what @param {string} code @param {() => unknown} run */
  const refuses = (what, code, run) => {
    try {
      run();
      failures.push(`${what}: nothing was thrown`);
    } catch (error) {
      check(`${what}: ${error}`, error instanceof SlabPoolError && error.code === `ERR_SLABPOOL_${code}`);
    }
  };
  /** @param {BufferPool} pool @param {string} when */
  const books = (pool, when) => {
    const { residentBytes, maxBytes, classes } = pool.stats();
    check(`${when}: resident ${residentBytes} above ${maxBytes}`, residentBytes <= maxBytes);
    check(`${when}: classes add up`, classes.reduce((sum, k) => sum + k.residentBytes, 0) === residentBytes);
  };

  const pool = new BufferPool({ maxBytes: 4096 * KiB, name: 'smoke' });
  const { kind, reason } = pool.backend;
  check(`backend ${kind}: ${reason}, and should be ${expected}`, expected === undefined || kind === expected);

  for (const size of [0, 1, 1000, 1024, 1025, 4000, 4096, 4097, 65_536, 100_000, 2 ** 20]) {
    const lease = pool.acquire(size);
    check(`${size}: size`, lease.size === size);
    check(`${size}: capacity ${lease.capacity}`, lease.capacity >= size && lease.bytes.length === lease.capacity);
    check(`${size}: one block, one ArrayBuffer`, lease.buffer.byteLength === lease.capacity);
    lease.bytes.fill(size & 0xff);
    check(
      `${size}: holds what was written`,
      lease.bytes.every((byte) => byte === (size & 0xff)),
    );
    lease.release();
    refuses(`${size}: second release`, 'LEASE_RELEASED', () => lease.release());
  }
  for (const size of [-1, 1.5, NaN, '1', null, undefined]) {
    refuses(`size ${size}`, 'INVALID_ARG', () => pool.acquire(/** @type {number} */ (size)));
  }
  books(pool, 'after single leases');

  const held = pool.acquireMany(64 * KiB, 48);
  for (const [i, { bytes }] of held.entries()) bytes.fill(i);
  check(
    '48 leases, 48 memories',
    held.every(({ bytes }, i) => bytes.every((byte) => byte === i)),
  );
  refuses('beyond the budget', 'EXHAUSTED', () => pool.acquireMany(64 * KiB, 48));
  check('all or none', pool.outstanding() === held.length);
  books(pool, 'exhausted');
  pool.releaseMany(held);
  check('trim() gives back', pool.trim() > 0);
  check('nothing is resident after trim()', pool.stats().residentBytes === 0);
  check('borrow() returns what its function does', pool.borrow(10, ({ size }) => size) === 10);
  refuses('a lease of another pool', 'FOREIGN_LEASE', () => {
    const other = new BufferPool();
    try {
      pool.release(other.acquire(1));
    } finally {
      other.close();
    }
  });

  if (kind === 'native') {
    const lease = pool.acquire(5000);
    lease.bytes.fill(7);
    const ticket = lease.transfer();
    const adopted = pool.adopt(ticket);
    check(
      'a ticket brings its bytes',
      adopted.bytes.every((byte) => byte === 7),
    );
    refuses('a ticket twice', 'STALE_TICKET', () => pool.adopt(ticket));
    adopted.release();
    await threads(pool, check);
  } else {
    refuses('a channel', 'BACKEND', () => new Channel(pool));
  }
  books(pool, 'at the end');
  check('nothing is out', pool.outstanding() === 0);
  pool.close();
  refuses('acquire() of a closed pool', 'CLOSED', () => pool.acquire(1));

  for (const failure of failures) console.error(`FAILED ${failure}`);
  console.log(`${kind} core: ${reason}`);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

/** @param {BufferPool} pool @param {(what: string, holds: unknown) => void} check */
async function threads(pool, check) {
  const there = new Channel(pool, { capacity: 16 });
  const back = new Channel(pool, { capacity: 16 });
  const handles = { pool: pool.handle, there: there.handle, back: back.handle };
  const worker = new Worker(new URL(import.meta.url), { workerData: handles });
  const ended = new Promise((resolve) => worker.on('exit', resolve).on('error', resolve));
  const rounds = 32;
  const sending = (async () => {
    for (let i = 0; i < rounds; i++) {
      const lease = pool.acquire(10_000);
      lease.bytes.fill(i);
      await there.send(lease, undefined, i);
    }
    there.close();
  })();
  let received = 0;
  for await (const lease of back) {
    check(
      `message ${received} came back in order, doubled`,
      lease.tag === received && lease.bytes[9_999] === 2 * received,
    );
    lease.release();
    received++;
  }
  await sending;
  check('all messages came back', received === rounds);
  check('the worker ended by itself', (await ended) === 0);
}

async function echo() {
  const pool = BufferPool.attach(workerData.pool);
  const back = Channel.attach(pool, workerData.back);
  for await (const lease of Channel.attach(pool, workerData.there)) {
    lease.bytes.fill(2 * lease.tag);
    await back.send(lease, undefined, lease.tag);
  }
  back.close();
  pool.close();
}
