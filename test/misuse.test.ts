import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, fill, holdsPattern, KiB, MiB } from './backends.js';

const releasedTwice = coded('ERR_SLABPOOL_LEASE_RELEASED', /released before/);
const notALease = (given: RegExp) =>
  coded('ERR_SLABPOOL_INVALID_ARG', new RegExp(`a lease that acquire\\(\\) returned, got ${given.source}`));

describe.each(BACKENDS)('misuse on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'misused', backend });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  /** The ways to release one lease. */
  const ways: [string, (lease: Lease) => void][] = [
    ['lease.release()', (lease) => lease.release()],
    ['pool.release()', (lease) => pool.release(lease)],
    ['pool.releaseMany()', (lease) => pool.releaseMany([lease])],
  ];

  describe.each(ways)('a second release by %s', (_, release) => {
    test('at once', () => {
      const lease = pool.acquire(100);
      lease.release();
      expect(() => release(lease)).toThrow(releasedTwice);
      expect(() => release(lease)).toThrow(releasedTwice);
      expect(pool.outstanding()).toBe(0);
    });

    test('much later, when the block went through the core and a trim', () => {
      const lease = pool.acquire(100);
      lease.release();
      for (let round = 0; round < 3; round++) pool.releaseMany(pool.acquireMany(100, 500));
      pool.trim();
      expect(() => release(lease)).toThrow(releasedTwice);
    });

    test('when the block has a new owner, who does not notice', () => {
      const lease = pool.acquire(100);
      const { buffer } = lease;
      lease.release();
      const owner = pool.acquire(100);
      expect(owner.buffer).toBe(buffer);
      fill(owner, 0x1234_5678);
      expect(() => release(lease)).toThrow(releasedTwice);
      expect(pool.outstanding()).toBe(1);
      const next = pool.acquire(100);
      expect(next.buffer).not.toBe(buffer);
      fill(next, 0xffff_ffff);
      expect(holdsPattern(owner, 0x1234_5678)).toBe(true);
      pool.releaseMany([owner, next]);
    });

    test('after dispose', () => {
      const lease = pool.acquire(100);
      lease[Symbol.dispose]();
      expect(() => release(lease)).toThrow(releasedTwice);
    });
  });

  test('releaseMany with a lease twice releases none', () => {
    const leases = pool.acquireMany(100, 3);
    expect(() => pool.releaseMany([...leases, leases[1]])).toThrow(releasedTwice);
    expect(pool.outstanding()).toBe(3);
    for (const [i, lease] of leases.entries()) fill(lease, i);
    expect(leases.every((lease, i) => holdsPattern(lease, i))).toBe(true);
    pool.releaseMany(leases);
  });

  test.each([
    ['a released lease', releasedTwice, () => released(pool)],
    ['null', notALease(/null/), () => null],
    ['a plain Buffer', notALease(/an object of class Buffer/), () => Buffer.alloc(8)],
  ])('releaseMany with %s among good ones releases none', (_, error, bad) => {
    const leases = pool.acquireMany(100, 4);
    const buffers = leases.map(({ buffer }) => buffer);
    expect(() => pool.releaseMany([...leases.slice(0, 2), bad() as Lease, ...leases.slice(2)])).toThrow(error);
    expect(pool.outstanding()).toBe(4);
    expect(leases.map(({ buffer }) => buffer)).toEqual(buffers);
    pool.releaseMany(leases);
  });

  test("another pool's lease is refused by name, and stays good where it belongs", () => {
    const other = new BufferPool({ name: 'other', backend });
    const lease = other.acquire(100);
    const own = pool.acquire(100);
    const foreign = coded('ERR_SLABPOOL_FOREIGN_LEASE', /pool 'misused': .*belongs to pool 'other'/, {
      pool: 'misused',
    });
    expect(() => pool.release(lease)).toThrow(foreign);
    expect(() => pool.releaseMany([own, lease])).toThrow(foreign);
    expect([pool.outstanding(), other.outstanding()]).toEqual([1, 1]);
    other.release(lease);
    own.release();
    expect(() => pool.release(lease)).toThrow(releasedTwice);
    other.close();
  });

  test("a closed pool's lease is foreign to another pool", () => {
    const other = new BufferPool({ backend });
    const lease = other.acquire(100);
    other.close();
    expect(() => pool.release(lease)).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE'));
  });

  test.each<[string, RegExp, (lease: Lease) => unknown]>([
    ['undefined', /undefined/, () => undefined],
    ['null', /null/, () => null],
    ['a number', /0/, () => 0],
    ['a string', /the string "lease"/, () => 'lease'],
    ['a symbol', /a symbol/, () => Symbol('lease')],
    ['a function', /a function/, () => () => {}],
    ['an object', /an object of class Object/, () => ({ size: 100 })],
    ['an object without prototype', /an object/, () => Object.create(null)],
    ['an object whose constructor cannot be read', /an object/, () => hostile()],
    ["the lease's own Buffer", /an object of class Buffer/, (lease) => lease.bytes],
    ["the lease's own ArrayBuffer", /an object of class ArrayBuffer/, (lease) => lease.buffer],
    [
      'an object with the prototype of a lease',
      /an object of class Lease/,
      (lease) => Object.create(Object.getPrototypeOf(lease)),
    ],
    ['an object that inherits from a lease', /an object of class Lease/, (lease) => Object.create(lease)],
    [
      'a copy of a lease',
      /an object of class Lease/,
      (lease) => Object.setPrototypeOf({ ...lease }, Object.getPrototypeOf(lease)),
    ],
    ['a structured clone of a lease', /an object of class Object/, (lease) => structuredClone(lease)],
    ['a Proxy of a lease', /an object of class Lease/, (lease) => new Proxy(lease, {})],
  ])('release of %s', (_, given, make) => {
    const lease = pool.acquire(100);
    const forged = make(lease) as Lease;
    expect(() => pool.release(forged)).toThrow(notALease(given));
    expect(() => pool.releaseMany([forged])).toThrow(notALease(given));
    expect(pool.outstanding()).toBe(1);
    expect(lease.bytes).toHaveLength(KiB);
    lease.release();
  });

  test('nothing of a lease can be used after its release', () => {
    const lease = pool.acquire(100);
    lease.release();
    for (const use of [() => lease.bytes, () => lease.buffer, () => lease.capacity, () => lease.view()]) {
      expect(use).toThrow(releasedTwice);
    }
    expect(lease.size).toBe(100);
  });

  test.each<[unknown, RegExp]>([
    [-1, /-1/],
    [-0.5, /-0.5/],
    [0.5, /0.5/],
    [4096.000001, /4096.000001/],
    [NaN, /NaN/],
    [Infinity, /Infinity/],
    [-Infinity, /-Infinity/],
    [2 ** 53, /9007199254740992/],
    [-(2 ** 32), /-4294967296/],
    [1 - 2 ** 32, /-4294967295/],
    ['4096', /the string "4096"/],
    ['', /the string ""/],
    [4096n, /the bigint 4096n/],
    [undefined, /undefined/],
    [null, /null/],
    [true, /true/],
    [Symbol('size'), /a symbol/],
    [[4096], /an object of class Array/],
    [{ valueOf: () => 4096 }, /an object of class Object/],
    [Object(4096), /an object of class Number/],
    [new Date(4096), /an object of class Date/],
  ])('a size of %s', (given, shown) => {
    const size = given as number;
    const invalid = coded('ERR_SLABPOOL_INVALID_ARG', new RegExp(`safe integer from 0 .*got ${shown.source}$`));
    expect(() => pool.acquire(size)).toThrow(invalid);
    expect(() => pool.acquireMany(size, 2)).toThrow(invalid);
    expect(() => pool.borrow(size, () => expect.unreachable())).toThrow(invalid);
    expect(() => pool.prewarm(size, 1)).toThrow(invalid);
    expect(pool.stats().acquires).toBe(0);
  });

  test.each([-1, 0.5, NaN, Infinity, 2 ** 53, '3', 3n, undefined, null, { valueOf: () => 3 }])(
    'a count of %s',
    (given) => {
      const count = given as number;
      const invalid = coded('ERR_SLABPOOL_INVALID_ARG', /count: expected an integer from 0, got /);
      expect(() => pool.acquireMany(100, count)).toThrow(invalid);
      expect(() => pool.prewarm(100, count)).toThrow(invalid);
      expect(pool.stats().acquires).toBe(0);
    },
  );

  test.each([undefined, null, 7, {}, { length: 1 }])('releaseMany of %s, which is no iterable', (given) => {
    expect(() => pool.releaseMany(given as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /an iterable of leases, got /),
    );
  });

  test('sizes at the edges: 0, a tier, one above, the largest, one above that', () => {
    const capacity = (size: number) => pool.borrow(size, (lease) => lease.capacity);
    expect([0, 1, KiB, KiB + 1, MiB, MiB + 1].map(capacity)).toEqual([KiB, KiB, KiB, 1280, MiB, MiB + 1]);
    expect(pool.stats().oversize.acquires).toBe(1);
  });

  test('a view that was kept after its release cannot reach any other block', () => {
    const lease = pool.acquire(4096);
    const kept = lease.bytes;
    lease.release();
    expect(kept.buffer.byteLength).toBe(4096);
    const leases = pool.acquireMany(4096, 100);
    for (const [i, lease] of leases.entries()) fill(lease, i);
    new Uint8Array(kept.buffer).fill(0xee);
    const hurt = leases.filter((lease, i) => !holdsPattern(lease, i));
    expect(hurt.every((lease) => lease.buffer === kept.buffer)).toBe(true);
    expect(hurt).toHaveLength(1);
    pool.releaseMany(leases);
  });
});

function released(pool: BufferPool): Lease {
  const lease = pool.acquire(1);
  lease.release();
  return lease;
}

function hostile(): object {
  return {
    get constructor(): never {
      throw new Error('from the getter');
    },
  };
}
