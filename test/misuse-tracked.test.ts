import { BufferPool, Channel, type Lease, type SlabPoolError } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, detach, fill, holdsPattern, KiB, MiB } from './backends.js';

const SITES = /acquired at acquireHere \(.*misuse-tracked\.test\.ts.* and released at .*misuse-tracked\.test\.ts/;

describe.each(BACKENDS)('misuse of tracked leases on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'misused', backend, leakDetection: 'full', maxPooledSize: 64 * KiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    expect(pool.trackedLeases()).toEqual([]);
    checkBooks(pool);
    pool.close();
  });

  const acquireHere = (size = 5000) => pool.acquire(size);

  const ends: [string, (lease: Lease) => unknown][] = [
    ['lease.release()', (lease) => lease.release()],
    ['pool.release()', (lease) => pool.release(lease)],
    ['pool.releaseMany()', (lease) => pool.releaseMany([lease])],
  ];
  const uses: [string, (lease: Lease) => unknown][] = [
    ...ends,
    ['bytes', (lease) => lease.bytes],
    ['buffer', (lease) => lease.buffer],
    ['capacity', (lease) => lease.capacity],
    ['view()', (lease) => lease.view()],
    ['touch()', (lease) => lease.touch('late')],
    ['transfer()', (lease) => lease.transfer()],
  ];

  describe.each([...ends, ['dispose', (lease: Lease) => lease[Symbol.dispose]()] as (typeof ends)[number]])(
    'after %s',
    (_, end) => {
      const releaseHere = (lease: Lease) => end(lease);

      test.each([5000, 0, MiB])('of %i bytes, each use tells where it was released and acquired', (size) => {
        const lease = acquireHere(size);
        releaseHere(lease);
        for (let round = 0; round < 2; round++) {
          for (const [name, use] of uses) {
            expect(() => use(lease), name).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', SITES, { pool: 'misused' }));
          }
          lease[Symbol.dispose]();
        }
      });
    },
  );

  test('the error has the stacks and the sizes in its details', () => {
    const lease = acquireHere(5000);
    lease.release();
    let error: SlabPoolError | undefined;
    try {
      lease.release();
    } catch (thrown) {
      error = thrown as SlabPoolError;
    }
    expect(error?.details).toMatchObject({ sizeBytes: 5000, capacityBytes: 5 * KiB });
    expect(error?.details['acquiredAt']).toMatch(/^ {4}at .*acquireHere /);
    expect(error?.details['releasedAt']).toMatch(/^ {4}at .*misuse-tracked\.test\.ts/);
  });

  test('a lease that was handed over tells where', () => {
    const lease = acquireHere();
    const ticket = lease.transfer();
    expect(() => lease.release()).toThrow(
      coded('ERR_SLABPOOL_LEASE_RELEASED', /handed over at .*misuse-tracked\.test\.ts/),
    );
    lease[Symbol.dispose]();
    pool.adopt(ticket).release();
  });

  test('a second release of what has a new owner does not disturb that', () => {
    const lease = acquireHere();
    const { buffer } = lease;
    lease.release();
    const owner = acquireHere();
    expect(owner.buffer).toBe(buffer);
    fill(owner, 0x1234_5678);
    expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    lease[Symbol.dispose]();
    expect([pool.outstanding(), holdsPattern(owner, 0x1234_5678)]).toEqual([1, true]);
    owner.release();
  });

  test('releaseMany with a bad one releases none, and all stay tracked', () => {
    const leases = pool.acquireMany(100, 3);
    const buffers = leases.map(({ buffer }) => buffer);
    expect(() => pool.releaseMany([...leases, leases[0]])).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(() => pool.releaseMany([...leases, {} as Lease])).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    expect(pool.trackedLeases()).toHaveLength(3);
    expect(leases.map(({ buffer }) => buffer)).toEqual(buffers);
    pool.releaseMany(leases);
  });

  test('acquireMany takes back what it had when the budget ends', () => {
    const small = new BufferPool({ backend, leakDetection: 'full', tiers: [4 * KiB], maxBytes: 8 * KiB });
    expect(() => small.acquireMany(1, 3)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));
    expect([small.outstanding(), small.trackedLeases()]).toEqual([0, []]);
    small.close();
  });

  test("another pool's tracked lease is refused by name", () => {
    const other = new BufferPool({ name: 'other', backend, leakDetection: 'full' });
    const lease = other.acquire(100);
    expect(() => pool.release(lease)).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE', /belongs to pool 'other'/));
    lease.release();
    other.close();
  });

  test('A9: a release after the pool was closed is one like any other', () => {
    const closed = new BufferPool({ backend, leakDetection: 'full' });
    const [first, second] = closed.acquireMany(100, 2);
    closed.close();
    first.release();
    expect(() => first.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', /released/));
    expect(() => second.transfer()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(() => second.touch('late')).not.toThrow();
    second[Symbol.dispose]();
  });

  test('a tracked block whose ArrayBuffer was taken away is retired, and cannot be handed over', async () => {
    const lease = acquireHere();
    const taken = detach(lease.bytes);
    expect(() => lease.transfer()).toThrow(coded('ERR_SLABPOOL_DETACHED'));
    lease.release();
    expect(pool.stats().retiredBytes).toBeGreaterThan(0);
    await taken;
  });

  test('an oversize tracked lease cannot be handed over', () => {
    const lease = acquireHere(MiB);
    expect(() => lease.transfer()).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    lease.release();
  });

  test.each([7, null, {}, Symbol('hint')])('touch(%s) is refused, tracked or not', (hint) => {
    const untracked = new BufferPool({ backend, leakDetection: 'off' });
    for (const lease of [pool.acquire(100), untracked.acquire(100)]) {
      expect(() => lease.touch(hint as string)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /touch\(hint\).*a string/));
      lease.release();
    }
    untracked.close();
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('of the program');
      },
    ],
    ['returns call sites', (_: Error, sites: unknown) => sites],
    ['returns nothing', () => undefined],
  ])('an Error.prepareStackTrace that %s costs the sites, no more', (_, prepare) => {
    const original = Error.prepareStackTrace;
    Error.prepareStackTrace = prepare as typeof original;
    try {
      const lease = acquireHere();
      expect(pool.trackedLeases()).toMatchObject([{ site: expect.any(String) }]);
      lease.release();
      expect(() => lease.release()).toThrow(expect.objectContaining({ code: 'ERR_SLABPOOL_LEASE_RELEASED' }));
    } finally {
      Error.prepareStackTrace = original;
    }
  });

  test('frames of the engine without a place are not taken for the program’s', () => {
    const original = Error.prepareStackTrace;
    // JavaScriptCore's.
    Error.prepareStackTrace = (error, sites) =>
      [error, ...sites.flatMap((site) => [site, 'unknown', 'native'])].join('\n    at ');
    try {
      const lease = acquireHere();
      expect(pool.trackedLeases()).toMatchObject([{ site: expect.stringMatching(/^acquireHere /) }]);
      lease.release();
    } finally {
      Error.prepareStackTrace = original;
    }
  });

  test('stacks that cannot be captured cost the sites, no more', () => {
    const original = Error.captureStackTrace;
    Error.captureStackTrace = () => {
      throw new Error('of the program');
    };
    try {
      const lease = acquireHere();
      expect(pool.trackedLeases()).toMatchObject([{ site: 'an unknown place' }]);
      lease.release();
    } finally {
      Error.captureStackTrace = original;
    }
  });

  test("the program's Error.stackTraceLimit is left as it is", () => {
    const before = Error.stackTraceLimit;
    Error.stackTraceLimit = 3;
    try {
      acquireHere().release();
      expect(Error.stackTraceLimit).toBe(3);
    } finally {
      Error.stackTraceLimit = before;
    }
  });
});

describe('tracked leases and channels', () => {
  test('sent and received, one by one and in many, they keep their bytes, and their senders are told', async () => {
    const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB] });
    const channel = new Channel(pool, { capacity: 64 });
    const other = Channel.attach(BufferPool.attach(pool.handle), channel.handle);
    const leases = pool.acquireMany(1, 40);
    for (const [i, lease] of leases.entries()) fill(lease, i);
    expect(channel.trySend(leases[0])).toBe(true);
    expect(channel.trySendMany(leases.slice(1))).toBe(39);
    expect(pool.trackedLeases()).toEqual([]);
    for (const lease of leases) {
      expect(() => lease.release()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', /handed over at .*misuse-tracked/));
    }
    const first = await other.receive();
    const rest = other.tryReceiveMany(64);
    for (const [i, lease] of [first as Lease, ...rest].entries()) {
      expect(holdsPattern(lease, i)).toBe(true);
      lease.release();
    }
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });

  test('what a full channel did not take stays tracked, and the sender’s', () => {
    const pool = new BufferPool({ leakDetection: 'full', tiers: [4 * KiB] });
    const channel = new Channel(pool, { capacity: 2 });
    Channel.attach(BufferPool.attach(pool.handle), channel.handle);
    const leases = pool.acquireMany(1, 5);
    expect(channel.trySendMany(leases)).toBe(2);
    expect(channel.trySend(leases[2])).toBe(false);
    expect(pool.trackedLeases()).toHaveLength(3);
    pool.releaseMany(leases.slice(2));
    expect(pool.outstanding()).toBe(0);
    pool.close();
  });
});
