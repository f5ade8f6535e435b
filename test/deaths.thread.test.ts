import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { BufferPool } from 'slabpool';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { checkBooks, coded, heapOf, KiB, MiB } from './backends.js';
import { fixture, run } from './child.js';
import { check, stamp } from './fixtures/payload.mjs';
import { Member, terminateAll } from './member.js';

afterEach(terminateAll);

test.each([
  ['terminated mid-lease', 200],
  ['terminated mid-batch', 24],
  ['terminated mid-transfer', 24],
  ['terminated mid-stats', 24],
  ['terminated with tickets on their way from it', 24],
  ['terminated with tickets on their way to it', 24],
  ['process.exit mid-lease', 12],
  ['process.exit with tickets on their way from it', 12],
  ['an exception mid-lease', 12],
  ['by itself, leases out', 12],
  ['by itself, closed', 12],
])('workers end: %s, %i of them, and every byte is accounted for', async (way, count) => {
  const ended = await run(fixture('deaths.mjs'), [way, String(count)]);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'nothing left\n', stderr: '' });
});

test.each(['its natural end', 'process.exit()', 'an uncaught error', 'terminate()'])(
  'B7: a ticket that a worker sent before %s',
  async (way) => {
    const pool = new BufferPool({ tiers: [8 * KiB], epochMs: 20, backend: 'native' });
    const worker = new Worker(fixture('clean-exit.mjs'), { workerData: { handle: pool.handle, way } });
    worker.on('error', (error) => expect(error).toMatchObject({ message: 'expected by the test' }));
    const gone = new Promise((resolve) => worker.on('exit', resolve));
    const [{ ticket, listeners, warnings }] = await once(worker, 'message');
    expect([listeners, warnings]).toEqual([1, 0]);
    if (way === 'terminate()') await worker.terminate();
    await gone;
    // What it held is back after its rest, in any case.
    for (let tries = 0; tries < 500 && pool.stats().quarantinedBytes > 0; tries++) {
      await setTimeout(10);
      pool.trim();
    }
    await setTimeout(100);
    pool.trim();
    expect(pool.stats()).toMatchObject({ leasedBytes: 0, quarantinedBytes: 0, cachedBytes: 0 });
    expect(pool.stats().inFlightBytes).toBe(way === 'terminate()' ? 0 : 8 * KiB);
    if (way === 'terminate()') {
      expect(() => pool.adopt(ticket)).toThrow(coded('ERR_SLABPOOL_STALE_TICKET'));
    } else {
      const lease = pool.adopt(ticket);
      expect(lease.view().equals(Buffer.alloc(5000, 7))).toBe(true);
      lease.release();
    }
    checkBooks(pool);
    pool.close();
  },
);

describe('what a dead thread had', () => {
  const REST = { quarantinedBytes: 16 * 64 * KiB, leasedBytes: 0, inFlightBytes: 0, residentBytes: MiB };
  const make = (epochMs: number) =>
    new BufferPool({ tiers: [4 * KiB, 64 * KiB], maxBytes: MiB, epochMs, backend: 'native' });

  test('rests as long as its epoch: nobody gets it, no trim gives it back', async () => {
    const pool = make(2 ** 31);
    const member = await Member.start(pool);
    await member.call('acquire', 64 * KiB, 16);
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    await member.terminate();
    expect(pool.stats()).toMatchObject(REST);
    expect(() => pool.acquire(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect(pool.trim()).toBe(0);
    expect(pool.stats()).toMatchObject(REST);
    checkBooks(pool);
    pool.close();
  });

  test('is there again after that, for the same class at once and for another one too', async () => {
    const pool = make(50);
    const member = await Member.start(pool);
    await member.call('acquire', 64 * KiB, 16);
    await member.terminate();
    expect(pool.stats()).toMatchObject(REST);
    await setTimeout(60);
    const leases = pool.acquireMany(64 * KiB, 16);
    expect(pool.stats()).toMatchObject({ quarantinedBytes: 0, leasedBytes: MiB });
    pool.releaseMany(leases);
    pool.releaseMany(pool.acquireMany(4 * KiB, 128));
    checkBooks(pool);
    pool.close();
  });

  test('in its magazines rests as well: what it had written is not on its way to another yet', async () => {
    const pool = make(0);
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', 64 * KiB, 2));
    await member.terminate();
    expect(pool.stats()).toMatchObject({ quarantinedBytes: 2 * 64 * KiB, residentBytes: 2 * 64 * KiB });
    pool.trim();
    expect(pool.stats()).toMatchObject({ quarantinedBytes: 0, residentBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  test('handed over can be adopted by anybody, with every byte of it', async () => {
    const pool = make(2 ** 31);
    const [dead, alive] = [await Member.start(pool), await Member.start(pool)];
    const tickets = await dead.call('transfer', await dead.call('acquire', 64 * KiB, 8, 40));
    await dead.terminate();
    pool.trim();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 8 * 64 * KiB });
    const others = pool.acquireMany(64 * KiB, 8);
    for (const { bytes } of others) bytes.fill(0xff);
    await alive.call('check', await alive.call('adopt', tickets.slice(0, 4)), 40);
    for (const [i, ticket] of tickets.slice(4).entries()) check(pool.adopt(ticket).bytes, 44 + i);
    checkBooks(pool);
    pool.close();
  });

  test('handed over is free again when an epoch has passed and nobody has adopted it', async () => {
    const pool = make(0);
    const dead = await Member.start(pool);
    const tickets = await dead.call('transfer', await dead.call('acquire', 64 * KiB, 8, 40));
    check(pool.adopt(tickets[0]).bytes, 40);
    await dead.terminate();
    check(pool.adopt(tickets[1]).bytes, 41);
    pool.trim();
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, quarantinedBytes: 0, leasedBytes: 2 * 64 * KiB });
    for (const ticket of tickets.slice(2)) expect(() => pool.adopt(ticket)).toThrow(coded('ERR_SLABPOOL_STALE_TICKET'));
    checkBooks(pool);
    pool.close();
  });

  test('handed over by a thread that closed its pool before it ended is good for ever', async () => {
    const pool = make(0);
    const gone = await Member.start(pool);
    const tickets = await gone.call('transfer', await gone.call('acquire', 64 * KiB, 2, 40));
    await gone.call('close');
    await gone.terminate();
    pool.trim();
    for (const [i, ticket] of tickets.entries()) check(pool.adopt(ticket).bytes, 40 + i);
    checkBooks(pool);
    pool.close();
  });

  test('was sent and has never adopted comes back to its sender by the same ticket', async () => {
    const pool = make(0);
    const member = await Member.start(pool);
    const leases = pool.acquireMany(64 * KiB, 4);
    for (const [i, { bytes }] of leases.entries()) stamp(bytes, i);
    const tickets = leases.map((lease) => lease.transfer());
    await member.call('adopt', tickets.slice(0, 2));
    await member.terminate();
    for (const ticket of tickets.slice(0, 2)) {
      expect(() => pool.adopt(ticket)).toThrow(coded('ERR_SLABPOOL_STALE_TICKET'));
    }
    for (const [i, ticket] of tickets.slice(2).entries()) check(pool.adopt(ticket).bytes, 2 + i);
    expect(pool.stats()).toMatchObject({ inFlightBytes: 0, quarantinedBytes: 2 * 64 * KiB, leasedBytes: 2 * 64 * KiB });
    checkBooks(pool);
    pool.close();
  });

  test('is given back at once when it was the last one: also by a worker that outlives the maker', async () => {
    const pool = make(2 ** 31);
    const { handle } = pool;
    const [one, two] = [await Member.start(pool), await Member.start(pool)];
    await one.call('acquire', 64 * KiB, 4);
    const ids = await two.call('acquire', 64 * KiB, 4, 9);
    pool.close();
    await one.terminate();
    await two.call('check', ids, 9);
    BufferPool.attach(handle).close();
    await two.terminate();
    expect(() => BufferPool.attach(handle)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });
});

describe('many members', () => {
  test('600 at once, which is more than there are heaps, in one thread and three workers', async () => {
    const pool = new BufferPool({ tiers: [4 * KiB], maxBytes: 256 * MiB, epochMs: 0, backend: 'native' });
    const workers = await Promise.all([1, 2, 3].map(() => Member.start(pool)));
    const members = Array.from({ length: 597 }, () => BufferPool.attach(pool.handle));
    const tickets: number[] = [];
    const held = members.map((member, i) => {
      const [lease, moved] = member.acquireMany(4 * KiB, 2);
      stamp(lease.bytes, i);
      stamp(moved.bytes, 10_000 + i);
      tickets.push(moved.transfer());
      return lease;
    });
    for (const [w, worker] of workers.entries()) {
      const ids = await worker.call('acquire', 4 * KiB, 100, 20_000 + w * 1000);
      await worker.call('check', await worker.call('adopt', tickets.splice(0, 100)), 10_000 + w * 100);
      await worker.call('check', ids, 20_000 + w * 1000);
    }
    // Each adopts what another one sent.
    const adopted = tickets.map((ticket, i) => members[i].adopt(ticket));
    for (const [i, { bytes }] of adopted.entries()) check(bytes, 10_300 + i);
    for (const [i, { bytes }] of held.entries()) check(bytes, i);
    expect(pool.stats().inFlightBytes).toBe(0);
    expect(heapOf(pool).core.checkInvariants()).toBeNull();
    for (const [i, member] of members.entries()) {
      if (i % 2 === 0) held[i].release();
      if (i % 3 !== 0) member.close();
    }
    await Promise.all(workers.map((worker) => worker.terminate()));
    for (const member of members) member.close();
    for (const lease of [...held, ...adopted]) lease[Symbol.dispose]();
    pool.trim();
    expect(pool.stats()).toMatchObject({ residentBytes: 0, leasedBytes: 0, quarantinedBytes: 0 });
    checkBooks(pool);
    pool.close();
  });

  test('more than 4095 at once are refused with a code, and those who are in do not notice', () => {
    const pool = new BufferPool({ tiers: [4 * KiB], maxBytes: 64 * MiB, backend: 'native' });
    const members: BufferPool[] = [];
    let refused: unknown;
    while (refused === undefined && members.length < 5000) {
      try {
        members.push(BufferPool.attach(pool.handle));
      } catch (error) {
        refused = error;
      }
    }
    expect(members).toHaveLength(4094);
    expect(refused).toEqual(coded('ERR_SLABPOOL_LIMIT'));
    members.pop()?.close();
    BufferPool.attach(pool.handle).close();
    for (const member of members) member.close();
    pool.borrow(100, ({ bytes }) => void bytes.fill(1));
    checkBooks(pool);
    pool.close();
  });
});

test('what a dead worker held is resident, and rests', async () => {
  const pool = new BufferPool({ backend: 'native', maxBytes: 64 * MiB, epochMs: 60_000, tiers: [MiB] });
  const member = await Member.start(pool);
  await member.call('acquire', MiB, 32);
  await member.terminate();
  expect(pool.stats()).toMatchObject({ residentBytes: 32 * MiB, quarantinedBytes: 32 * MiB, leasedBytes: 0 });
  checkBooks(pool);
  pool.close();
});

test('what a thread that died left behind is not taken for a write after release', async () => {
  const events: unknown[] = [];
  const listen = (event: unknown) => events.push(event);
  subscribe('slabpool:use-after-release', listen);
  onTestFinished(() => void unsubscribe('slabpool:use-after-release', listen));
  const pool = new BufferPool({ debug: 'poison', tiers: [4 * KiB], maxBytes: 64 * KiB, epochMs: 50 });
  const member = await Member.start(pool);
  await member.call('acquire', 1, 8, 1);
  await member.terminate();
  for (let i = 0; i < 200 && pool.stats().quarantinedBytes > 0; i++) await setTimeout(10);
  pool.releaseMany(pool.acquireMany(1, 16));
  expect(events).toEqual([]);
  const lease = pool.acquire(1);
  const { bytes } = lease;
  lease.release();
  bytes[0] = 1;
  pool.acquire(1).release();
  expect(events).toHaveLength(1);
  pool.close();
});
