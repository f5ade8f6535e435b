import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { NOT_HELD } from '../dist/core/core.js';
import { BACKENDS, checkBooks, coded, detach, heapOf, KiB } from './backends.js';

describe.each(BACKENDS)('C: an answer of the %s core that cannot be is an error with its evidence:', (backend) => {
  const BLOCK = 4 * KiB;
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'doubtful', backend, tiers: [BLOCK], leakDetection: 'off' });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    pool.close();
  });

  const answers = (
    call: 'flush' | 'retire' | 'reclaim' | 'transfer' | 'adopt' | 'refill',
    answer = NOT_HELD as number,
  ) => vi.spyOn(heapOf(pool).core, call).mockReturnValueOnce(answer);
  const internal = (call: string, answer = NOT_HELD as number, evidence = {}) =>
    coded('ERR_SLABPOOL_INTERNAL', /a bug in slabpool, please report it .*"answer":/, {
      pool: 'doubtful',
      details: expect.objectContaining({ call, answer, ...evidence }),
    });

  test('flush() of a full magazine, whose answer was read as flags', () => {
    const leases = pool.acquireMany(BLOCK, 3 * heapOf(pool).magazines[0].batch);
    answers('flush');
    expect(() => pool.releaseMany(leases)).toThrow(
      internal('flush', NOT_HELD, { sizeClass: 0, block: expect.any(Number) }),
    );
  });

  test('a map() that fails in the middle of a refill loses nothing of the batch', () => {
    const { core } = heapOf(pool);
    const { map } = core;
    let calls = 0;
    vi.spyOn(core, 'map').mockImplementation((sizeClass, block) => {
      if (++calls === 3) throw new Error('no memory');
      return map.call(core, sizeClass, block);
    });
    expect(() => pool.acquire(BLOCK)).toThrow('no memory');
    expect(pool.outstanding()).toBe(0);
    expect(pool.stats()).toMatchObject({ leasedBytes: 0, magazineBytes: 0 });
    checkBooks(pool);
    pool.acquire(BLOCK).release();
  });

  test('flush() for trim()', () => {
    pool.acquire(BLOCK).release();
    answers('flush');
    expect(() => pool.trim()).toThrow(internal('flush'));
  });

  test('retire(), whose answer was ignored', async () => {
    const lease = pool.acquire(BLOCK);
    await detach(lease.bytes);
    answers('retire');
    expect(() => lease.release()).toThrow(internal('retire'));
  });

  test('reclaim(), and the memory can still come back', async () => {
    const lease = pool.acquire(BLOCK);
    const { buffer } = await detach(lease.bytes);
    answers('reclaim');
    expect(() => lease.reclaim(buffer as ArrayBuffer)).toThrow(internal('reclaim'));
    lease.reclaim(buffer as ArrayBuffer);
    lease.release();
    expect(pool.stats().retiredBytes).toBe(0);
  });

  test('transfer(), whose answer was a ticket', () => {
    const lease = pool.acquire(BLOCK);
    answers('transfer');
    expect(() => lease.transfer()).toThrow(internal('transfer'));
    expect(lease.bytes).toHaveLength(BLOCK); // still the caller's
    lease.release();
  });

  test('adopt(), whose answer was taken for a stale ticket', () => {
    const ticket = pool.acquire(BLOCK).transfer();
    answers('adopt');
    expect(() => pool.adopt(ticket)).toThrow(internal('adopt', NOT_HELD, { ticket }));
  });

  test.each([NOT_HELD, 0])('refill(): %i, which was taken for a lack of memory, or for a block', (answer) => {
    answers('refill', answer);
    expect(() => pool.acquire(BLOCK)).toThrow(internal('refill', answer));
  });
});
