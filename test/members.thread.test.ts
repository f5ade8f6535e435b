import { readFileSync } from 'node:fs';
import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, heapOf, isZero, KiB, MiB } from './backends.js';
import { check, stamp } from './fixtures/payload.mjs';
import { Member, terminateAll, WAYS } from './member.js';

const closed = coded('ERR_SLABPOOL_CLOSED');
const exhausted = coded('ERR_SLABPOOL_EXHAUSTED');

/** Bytes of the process in RAM. */
function resident(): number {
  return Number(/^Rss:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1]) * KiB;
}

let pool: BufferPool;
beforeEach(() => {
  pool = new BufferPool({
    name: 'shared',
    tiers: [4 * KiB, 64 * KiB],
    maxBytes: MiB,
    epochMs: 0,
    backend: 'native',
  });
});
afterEach(async () => {
  await terminateAll();
  pool.close();
});

describe('a handle', () => {
  test.each(WAYS)('travels by %s, and both sides see one memory', async (way) => {
    const member = await Member.start(pool, way);
    const ids = await member.call('acquire', 64 * KiB, 3, 700);
    const leases = (await member.call('transfer', ids)).map((ticket) => pool.adopt(ticket));
    for (const [i, { bytes }] of leases.entries()) check(bytes, 700 + i);
    pool.releaseMany(leases);
    await member.call('close');
    checkBooks(pool);
  });

  test('can be had from any member, and passed on by it', async () => {
    const first = await Member.start(pool);
    const second = await Member.start(await first.call('handle'));
    await first.terminate();
    const [id] = await second.call('acquire', 4 * KiB, 1, 5);
    const [ticket] = await second.call('transfer', [id]);
    const lease = pool.adopt(ticket);
    check(lease.bytes, 5);
    lease.release();
  });

  test('is plain data: JSON and back, or structured clones of it, are as good', () => {
    const { handle } = pool;
    for (const copy of [JSON.parse(JSON.stringify(handle)), structuredClone(handle), pool.handle]) {
      expect(copy).toEqual(handle);
      const member = BufferPool.attach(copy);
      expect(member.tiers).toEqual(pool.tiers);
      expect([member.name, member.maxBytes, member.maxPooledSize]).toEqual(['shared', MiB, 64 * KiB]);
      expect(member.backend.kind).toBe('native');
      member.close();
    }
  });

  test('keeps nothing alive', () => {
    const { handle } = pool;
    pool.close();
    expect(() => BufferPool.attach(handle)).toThrow(closed);
    expect(() => pool.handle).toThrow(closed);
  });

  test('of a pool on the TypeScript core is refused, with the reason', () => {
    const other = new BufferPool({ name: 'lonely', backend: 'js' });
    expect(() => other.handle).toThrow(
      coded('ERR_SLABPOOL_BACKEND', /only the native core .*asked for by \{ backend: 'js' \}/, { pool: 'lonely' }),
    );
    other.close();
  });

  test('brings the options along: zero, and the cap on oversize leases, which is each thread’s own', () => {
    const origin = new BufferPool({ zero: 'acquire', maxOversizeBytes: 100 * KiB, maxPooledSize: 64 * KiB });
    const member = BufferPool.attach(origin.handle);
    origin.borrow(KiB, ({ bytes }) => void bytes.fill(0xff));
    origin.trim();
    expect(member.borrow(KiB, ({ bytes }) => isZero(bytes))).toBe(true);
    using large = origin.acquire(100 * KiB);
    using other = member.acquire(100 * KiB);
    expect([large.capacity, other.capacity]).toEqual([100 * KiB, 100 * KiB]);
    expect(() => member.acquire(65 * KiB)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    member.close();
    origin.close();
  });
});

describe('one budget', () => {
  test('what other threads hold is missing here, and what they give back is there again', async () => {
    const [one, two] = [await Member.start(pool), await Member.start(pool)];
    const held = await one.call('acquire', 64 * KiB, 8);
    const more = await two.call('acquire', 64 * KiB, 4);
    const leases = pool.acquireMany(64 * KiB, 4);
    for (const refused of [
      () => pool.acquire(64 * KiB),
      () => pool.acquire(1),
      () => one.call('acquire', 64 * KiB),
      () => two.call('acquire', 1),
    ]) {
      await expect((async () => refused())()).rejects.toThrow(exhausted);
    }
    expect(pool.stats()).toMatchObject({ residentBytes: MiB, leasedBytes: MiB, cachedBytes: 0, outstanding: 16 });

    await two.call('release', more);
    await two.call('trim');
    leases.push(...pool.acquireMany(64 * KiB, 4));
    expect(() => pool.acquire(64 * KiB)).toThrow(exhausted);
    pool.releaseMany(leases);
    pool.trim();
    // Also in the shape of another tier.
    const small = await two.call('acquire', 4 * KiB, 128);
    await expect(two.call('acquire', 4 * KiB)).rejects.toThrow(exhausted);
    await one.call('release', held);
    await two.call('release', small);
    // One after the other: of two at the same time, one leaves it to the other.
    await one.call('trim');
    await two.call('trim');
    expect(pool.stats()).toMatchObject({ residentBytes: 0, leasedBytes: 0 });
    checkBooks(pool);
  });

  test('four threads that want more than there is get together exactly what there is', async () => {
    const members = await Promise.all(Array.from({ length: 4 }, () => Member.start(pool)));
    let got = 0;
    await Promise.all(
      members.map(async (member) => {
        for (;;) {
          try {
            await member.call('acquire', 64 * KiB);
            got++;
          } catch (error) {
            expect(error).toEqual(exhausted);
            return;
          }
        }
      }),
    );
    expect(got).toBe(16);
    expect(pool.stats()).toMatchObject({ residentBytes: MiB, leasedBytes: MiB, outstanding: 16 });
    expect(pool.outstanding()).toBe(0);
    expect(heapOf(pool).core.checkInvariants()).toBeNull();
  });
});

describe('stats', () => {
  test('are those of all threads, and of each', async () => {
    const member = await Member.start(pool);
    await member.call('acquire', 64 * KiB, 5);
    const leases = pool.acquireMany(64 * KiB, 2);
    const [here, there] = [pool.stats(), await member.call('stats')];
    for (const stats of [here, there]) {
      expect(stats).toMatchObject({ residentBytes: 7 * 64 * KiB, leasedBytes: 7 * 64 * KiB, maxBytes: MiB });
      expect(stats.classes[1]).toMatchObject({ leasedBytes: 7 * 64 * KiB, blockBytes: 64 * KiB });
    }
    expect([here.mappedBlocks, there.mappedBlocks]).toEqual([2, 5]);
    const threads = (stats: typeof here) =>
      stats.threads.map(({ here, acquires, leasedBytes }) => [here, acquires, leasedBytes]);
    const [own, others] = [[2, 2 * 64 * KiB] as const, [5, 5 * 64 * KiB] as const];
    expect(threads(here)).toEqual([
      [true, ...own],
      [false, ...others],
    ]);
    expect(threads(there)).toEqual([
      [false, ...own],
      [true, ...others],
    ]);
    expect(await member.call('outstanding')).toBe(5);
    pool.releaseMany(leases);
    checkBooks(pool);
  });

  test('what another thread put into its magazine is out here until it tells, which it does when asked', async () => {
    const member = await Member.start(pool);
    await member.call('release', await member.call('acquire', 64 * KiB, 2));
    expect(pool.stats()).toMatchObject({ leasedBytes: 2 * 64 * KiB, cachedBytes: 0 });
    checkBooks(pool);
    expect(await member.call('stats')).toMatchObject({ leasedBytes: 0, magazineBytes: 2 * 64 * KiB });
    expect(pool.stats()).toMatchObject({ leasedBytes: 0, magazineBytes: 2 * 64 * KiB, cachedBytes: 2 * 64 * KiB });
    checkBooks(pool);
    await member.call('trim');
    expect(pool.stats()).toMatchObject({ residentBytes: 0, leasedBytes: 0 });
  });

  test('of a thread go on where those of the thread that had its number before ended', async () => {
    const first = BufferPool.attach(pool.handle);
    first.releaseMany(first.acquireMany(64 * KiB, 10));
    first.close();
    const next = BufferPool.attach(pool.handle);
    expect(next.stats()).toMatchObject({ acquires: 10, outstanding: 0 });
    next.releaseMany(next.acquireMany(64 * KiB, 3));
    expect(next.stats().threads.map(({ acquires }) => acquires)).toEqual([0, 13]);
    checkBooks(next);
    next.close();
  });
});

describe('close', () => {
  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  test.each(orders)('in the order %i, %i, %i: who has not closed goes on', async (...order) => {
    const { handle } = pool;
    const worker = await Member.start(handle);
    const other = BufferPool.attach(handle);
    const own = [pool.acquire(64 * KiB), other.acquire(64 * KiB)];
    for (const [i, { bytes }] of own.entries()) stamp(bytes, i);
    const theirs = await worker.call('acquire', 64 * KiB, 1, 2);
    const members = [
      { close: async () => pool.close(), works: async () => uses(pool, own[0].bytes, 0) },
      { close: async () => other.close(), works: async () => uses(other, own[1].bytes, 1) },
      {
        close: () => worker.call('close'),
        works: async () => {
          await worker.call('check', theirs, 2);
          await worker.call('release', await worker.call('acquire', 4 * KiB, 2));
        },
      },
    ];
    for (const [i, member] of order.entries()) {
      await members[member].close();
      for (const left of order.slice(i + 1)) await members[left].works();
      if (i < 2) BufferPool.attach(handle).close();
    }
    for (const lease of own) lease.release();
    await worker.call('release', theirs);
    expect(() => BufferPool.attach(handle)).toThrow(closed);
    await expect(worker.call('attach', handle)).rejects.toThrow(closed);
  });

  function uses(member: BufferPool, bytes: Buffer, seed: number) {
    check(bytes, seed);
    member.releaseMany(member.acquireMany(4 * KiB, 3));
    expect(heapOf(member).core.checkInvariants()).toBeNull();
  }

  test('A9: leases that are out keep their bytes until they end; then they are another’s', async () => {
    const member = await Member.start(pool);
    const leases = pool.acquireMany(64 * KiB, 8);
    const views = leases.map(({ bytes }) => bytes.fill(0xaa));
    pool.close();
    expect(() => leases[0].transfer()).toThrow(closed);
    const ids = await member.call('acquire', 64 * KiB, 8, 1);
    expect(views.every((view) => view.equals(Buffer.alloc(64 * KiB, 0xaa)))).toBe(true);
    await member.call('check', ids, 1);
    expect(await member.call('stats')).toMatchObject({ quarantinedBytes: 0, leasedBytes: MiB, residentBytes: MiB });
    for (const lease of leases) lease.release();
    expect(views.map(({ length }) => length)).toEqual(Array(8).fill(0));
    expect(await member.call('stats')).toMatchObject({
      quarantinedBytes: 0,
      leasedBytes: MiB / 2,
      cachedBytes: MiB / 2,
    });
    expect((await member.call('stats')).threads).toHaveLength(1);
  });

  test('in a worker: its leases too', async () => {
    const member = await Member.start(pool);
    const ids = await member.call('acquire', 64 * KiB, 3);
    await member.call('close');
    expect(await member.call('lengths', ids)).toEqual(Array(3).fill(64 * KiB));
    expect(pool.stats()).toMatchObject({ leasedBytes: 3 * 64 * KiB, residentBytes: 3 * 64 * KiB });
    await member.call('release', ids);
    expect(await member.call('lengths', ids)).toEqual([0, 0, 0]);
    expect(pool.stats()).toMatchObject({ leasedBytes: 0, residentBytes: 3 * 64 * KiB });
    pool.trim();
    expect(pool.stats()).toMatchObject({ quarantinedBytes: 0, residentBytes: 0 });
    checkBooks(pool);
  });

  test('what a thread that closed has out is not handed out meanwhile', () => {
    const origin = new BufferPool({ tiers: [64 * KiB], maxBytes: 256 * KiB, epochMs: 2 ** 31, backend: 'native' });
    const member = BufferPool.attach(origin.handle);
    const theirs = origin.acquireMany(64 * KiB, 3);
    origin.close();
    expect(member.stats()).toMatchObject({
      quarantinedBytes: 0,
      leasedBytes: 3 * 64 * KiB,
      residentBytes: 3 * 64 * KiB,
    });
    const lease = member.acquire(64 * KiB);
    expect(() => member.acquire(64 * KiB)).toThrow(exhausted);
    expect(member.trim()).toBe(0);
    lease.release();
    checkBooks(member);
    member.close();
    for (const each of theirs) each.release();
  });

  test.skipIf(process.platform !== 'linux')('of the last one gives the memory back, of no earlier one', async () => {
    const origin = new BufferPool({ tiers: [MiB], maxBytes: 64 * MiB, epochMs: 2 ** 31, backend: 'native' });
    const member = await Member.start(origin);
    await member.call('release', await member.call('acquire', MiB));
    await member.call('trim');
    const before = resident();
    const leases = origin.acquireMany(MiB, 32);
    for (const { bytes } of leases) bytes.fill(1);
    const ids = await member.call('acquire', MiB, 32, 1);
    expect(resident() - before).toBeGreaterThan(56 * MiB);
    origin.close();
    expect(resident() - before).toBeGreaterThan(56 * MiB);
    await member.call('check', ids, 1);
    for (const lease of leases) lease.release();
    await member.call('close');
    expect(resident() - before).toBeGreaterThan(24 * MiB);
    await member.call('release', ids);
    expect(resident() - before).toBeLessThan(16 * MiB);
  });

  test('twice, and after use, in each thread', async () => {
    const member = await Member.start(pool);
    await member.call('close');
    await member.call('close');
    await expect(member.call('acquire', 1)).rejects.toThrow(closed);
    await expect(member.call('stats')).rejects.toThrow(closed);
    await expect(member.call('handle')).rejects.toThrow(closed);
    await expect(member.call('adopt', [0])).rejects.toThrow(closed);
    await member.call('attach', pool.handle);
    await member.call('acquire', 1);
    expect(pool.stats().leasedBytes).toBeGreaterThan(0);
  });
});
