import { BufferPool, Channel } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, KiB, MiB } from './backends.js';

const twice = coded('ERR_SLABPOOL_LEASE_RELEASED');

describe.each(BACKENDS)('B14: several readers of one buffer on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'shared', backend, maxBytes: 4 * MiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test.each([KiB, 2 * MiB])(
    'the buffer of %i bytes goes back with the last of them, in any order, and each is released once',
    (size) => {
      const first = pool.acquire(size - 1);
      const readers = [first, first.retain(), first.retain()];
      readers.push(readers[2].retain());
      first.bytes.fill(7);
      for (const reader of readers) {
        expect(reader.bytes).toBe(first.bytes);
        expect([reader.size, reader.capacity, reader.view().length]).toEqual([size - 1, first.capacity, size - 1]);
      }
      expect(pool.outstanding()).toBe(1);
      for (const [i, reader] of [readers[2], readers[0], readers[3], readers[1]].entries()) {
        expect([reader.released, reader.bytes[0], pool.outstanding()]).toEqual([false, 7, 1]);
        [
          () => reader.release(),
          () => pool.release(reader),
          () => reader[Symbol.dispose](),
          () => pool.releaseMany([reader]),
        ][i]();
        expect(reader.released).toBe(true);
        expect(() => reader.release()).toThrow(twice);
        expect(() => reader.retain()).toThrow(twice);
        reader[Symbol.dispose]();
      }
      expect(pool.outstanding()).toBe(0);
    },
  );

  test('nobody else gets the buffer while one reads it', () => {
    const small = new BufferPool({ backend, tiers: [4 * KiB], maxBytes: 4 * KiB });
    const first = small.acquire(1);
    const second = first.retain();
    first.release();
    expect(() => small.acquire(1)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    second.release();
    const next = small.acquire(1);
    expect(() => second.bytes).toThrow(twice);
    next.release();
    small.close();
  });

  test('none of them can be handed over or reclaimed, and none is lost by the attempt', () => {
    const shared = coded('ERR_SLABPOOL_SHARED', /^pool 'shared': 2 leases have the buffer/);
    const first = pool.acquire(KiB);
    const second = first.retain();
    for (const lease of [first, second]) {
      expect(() => lease.transfer()).toThrow(shared);
      expect(() => lease.reclaim(lease.buffer)).toThrow(shared);
      if (backend === 'native') {
        const channel = new Channel(pool);
        expect(() => channel.trySend(lease)).toThrow(shared);
        const own = pool.acquire(1);
        expect(() => channel.trySendMany([own, lease])).toThrow(shared);
        own.release();
        expect(channel.size).toBe(0);
        channel.leave();
      }
      expect(lease.released).toBe(false);
    }
    first.release();
    // The last one is as any other.
    const { buffer } = second;
    second.reclaim(buffer);
    const adopted = pool.adopt(second.transfer());
    const only = adopted.retain();
    adopted.release();
    const again = pool.adopt(only.transfer());
    expect([only.released, again.buffer === buffer, pool.outstanding()]).toEqual([true, true, 1]);
    const last = again.retain();
    again.release();
    if (backend === 'native') {
      const channel = new Channel(pool);
      expect(channel.trySendMany([last])).toBe(1);
      const back = channel.tryReceive();
      expect(back?.buffer).toBe(buffer);
      back?.release();
      channel.leave();
    } else {
      last.release();
    }
  });

  test('a tracked lease keeps its record: it is named until the last reader has released it', () => {
    const tracked = new BufferPool({ backend, leakDetection: 'full' });
    const first = tracked.acquire(KiB);
    const second = first.retain();
    second.touch('read');
    first.release();
    expect(tracked.trackedLeases()).toMatchObject([
      { site: expect.stringContaining('readers.test'), touches: [{ hint: 'read' }] },
    ]);
    expect(() => tracked.assertNoLeaks()).toThrow(/1 acquired at .*readers\.test/);
    second.release();
    expect(() => second.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', /readers\.test/));
    expect(tracked.trackedLeases()).toEqual([]);
    tracked.close();
  });

  test('a buffer that a reader detaches is retired once, by the last', async () => {
    const first = pool.acquire(KiB);
    const second = first.retain();
    await detach(first.bytes);
    expect(second.bytes).toHaveLength(0);
    first.release();
    expect(pool.stats().drops.retired).toBe(0);
    second.release();
    expect(pool.stats().drops.retired).toBe(1);
  });

  test('readers of a pool that is closed keep their bytes to the last', async () => {
    const other = new BufferPool({ backend });
    const first = other.acquire(KiB);
    const second = first.retain();
    first.bytes.fill(9);
    const drained = other.drain();
    first.release();
    expect(second.bytes[KiB - 1]).toBe(9);
    second.release();
    await drained;

    const closed = new BufferPool({ backend });
    const third = closed.acquire(KiB);
    const fourth = third.retain();
    third.bytes.fill(9);
    closed.close();
    third.release();
    expect(fourth.bytes[0]).toBe(9);
    fourth.release();
  });

  test.each(['poison', 'detach'] as const)("with debug: '%s' only the last release ends the bytes", (debug) => {
    const strict = new BufferPool({ backend, debug });
    const first = strict.acquire(KiB);
    const second = first.retain();
    const { bytes } = first;
    bytes.fill(3);
    first.release();
    expect(bytes[0]).toBe(3);
    second.release();
    expect(bytes[0]).not.toBe(3);
    strict.close();
  });
});
