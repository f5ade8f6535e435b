import { BufferPool } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKENDS, coded, detach, heapOf, KiB, MiB, settled } from './backends.js';

const CLOSED = coded('ERR_SLABPOOL_CLOSED', /drained/);

describe.each(BACKENDS)('A9: drain() on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'drained', backend, maxBytes: 8 * MiB, leakDetection: 'full' });
  });
  afterEach(() => pool.close());

  test('nothing is given out any more, what is out can be used, and the last release ends it', async () => {
    const [first, second] = pool.acquireMany(KiB, 2);
    const large = pool.acquire(2 * MiB);
    const drained = pool.drain();
    for (const size of [0, 1, KiB, 2 * MiB]) {
      expect(() => pool.acquire(size)).toThrow(CLOSED);
      await expect(pool.acquireAsync(size)).rejects.toThrow(CLOSED);
    }
    expect(() => pool.acquireMany(KiB, 2)).toThrow(CLOSED);
    expect(() => pool.borrow(KiB, () => 1)).toThrow(CLOSED);
    expect(() => pool.prewarm(KiB, 1)).toThrow(CLOSED);
    first?.bytes.fill(7);
    const ticket = first?.transfer() as number;
    second?.release();
    large.release();
    expect(await settled(drained)).toBe(false);
    expect(heapOf(pool).core.checkInvariants()).toBeNull();
    const adopted = pool.adopt(ticket);
    expect(adopted.bytes[0]).toBe(7);
    expect(await settled(drained)).toBe(false);
    expect(pool.stats()).toMatchObject({ outstanding: 1, magazineBytes: 0 });
    adopted.release();
    await drained;
    expect(() => pool.stats()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
  });

  test('an empty pool is drained at once', async () => {
    pool.acquire(KiB).release();
    await pool.drain({ timeout: 0 });
    expect(() => pool.outstanding()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await expect(pool.drain()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    await pool[Symbol.asyncDispose]();
  });

  test('an oversize lease, a retired block and a lease that is collected end it as well', async () => {
    const oversize = pool.acquire(2 * MiB);
    let drained = pool.drain();
    expect(await settled(drained)).toBe(false);
    oversize.release();
    await drained;

    const other = new BufferPool({ backend });
    const detached = other.acquire(KiB);
    drained = other.drain();
    await detach(detached.bytes);
    detached.release();
    await drained;
  });

  test('requests that wait are refused when it begins', async () => {
    const held = pool.acquireMany(MiB, 8);
    const waiting = pool.acquireAsync(KiB);
    const refused = expect(waiting).rejects.toThrow(CLOSED);
    const drained = pool.drain();
    await refused;
    pool.releaseMany(held);
    await drained;
  });

  test('it rejects with what is still out and where it was acquired, and can be tried again', async () => {
    const held = pool.acquireMany(KiB, 3);
    held.push(pool.acquire(2 * MiB));
    const ticket = pool.adopt(held[0].transfer()).transfer();
    const error = coded(
      'ERR_SLABPOOL_TIMEOUT',
      /^pool 'drained': not drained within 20 ms: still out are 2 of 1024 bytes, 1 oversize, 1 in tickets of this thread.*acquired at .*drain\.test/,
      { pool: 'drained', details: { timeoutMs: 20, outstanding: 3, tickets: 1, elsewhere: 0, inFlight: 1 } },
    );
    await expect(pool.drain({ timeout: 20 })).rejects.toMatchObject({ code: 'ERR_SLABPOOL_TIMEOUT' });
    await expect(pool.drain({ timeout: 20 })).rejects.toThrow(error);
    await expect(pool.drain({ timeout: 0 })).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT', /within 0 ms/));
    const reason = new Error('enough');
    await expect(pool.drain({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const aborted = pool.drain({ signal: controller.signal });
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
    expect(() => pool.acquire(1)).toThrow(CLOSED);
    const [first, second] = [pool.drain(), pool.drain({ timeout: 10_000 })];
    pool.adopt(ticket).release();
    for (const lease of held.slice(1)) lease.release();
    await Promise.all([first, second]);
  });

  test('close() ends it with an error', async () => {
    const lease = pool.acquire(KiB);
    const drained = expect(pool.drain()).rejects.toThrow(coded('ERR_SLABPOOL_CLOSED'));
    pool.close();
    await drained;
    lease.release();
  });

  test('a release by whoever it told closes the pool in its turn', async () => {
    const lease = pool.acquire(KiB);
    const then = vi.fn(() => expect(() => pool.trim()).toThrow(coded('ERR_SLABPOOL_CLOSED')));
    const drained = pool.drain().then(then);
    lease.release();
    await drained;
    expect(then).toHaveBeenCalledOnce();
  });

  test('misuse', async () => {
    await expect(pool.drain({ timeoutMs: 1 } as never)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /timeoutMs/));
    await expect(pool.drain({ signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early');
    await expect(pool.drain({ timeout: -1 })).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    // Nothing has begun.
    const lease = pool.acquire(1);
    expect(lease.capacity).toBe(KiB);
    lease.release();
  });

  test('C: using closes, and may do so again', () => {
    const other = new BufferPool({ backend });
    const lease = other.acquire(KiB);
    other[Symbol.dispose]();
    expect(() => other.acquire(1)).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    other[Symbol.dispose]();
    lease.release();
    {
      using third = new BufferPool({ backend });
      third.acquire(KiB).release();
    }
  });

  test('await using waits for the last lease', async () => {
    const other = new BufferPool({ backend });
    const lease = other.acquire(KiB);
    const disposed = other[Symbol.asyncDispose]();
    expect(await settled(disposed)).toBe(false);
    lease.release();
    await disposed;
  });
});
