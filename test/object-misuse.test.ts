import { runInNewContext } from 'node:vm';
import { BufferPool } from 'slabpool';
import { ObjectPool, type ObjectPoolOptions, type SlabPoolError } from 'slabpool/object';
import { describe, expect, test } from 'vitest';
import { coded } from './backends.js';
import { checkBooks, thingPool } from './objects.js';

const DETECTION = ['off', 'full'] as const;
type Lease = ReturnType<ReturnType<typeof thingPool>['pool']['acquire']>;

describe('options', () => {
  const create = () => ({});
  test.each([
    [undefined, /option 'create': expected a function that returns an object, got undefined/],
    [null, /expected an object with none but the options name, create, /],
    [[], /expected an object with none but the options/],
    [{}, /option 'create'/],
    [{ create: {} }, /option 'create'/],
    [{ create, maxidle: 1 }, /there is no option 'maxidle': expected only name, create, reset, /],
    [{ create, name: '' }, /option 'name': expected a non-empty string/],
    [{ create, reset: true }, /option 'reset': expected a function of an object, got true/],
    [{ create, destroy: null }, /option 'destroy': expected a function of an object, got null/],
    [{ create, keep: 'all' }, /option 'keep'/],
    [{ create, resetOn: 'never' }, /option 'resetOn': expected 'acquire' or 'release', got the string "never"/],
    [{ create, maxIdle: -1 }, /option 'maxIdle': expected an integer of 0 to 16777216 \(objects\), got -1/],
    [{ create, maxIdle: 1.5 }, /option 'maxIdle'/],
    [{ create, maxIdle: Infinity }, /option 'maxIdle'/],
    [{ create, epochMs: 2 ** 31 }, /option 'epochMs': expected an integer of 0 to 2147483647 \(milliseconds\)/],
    [{ create, epochMs: '5' }, /option 'epochMs'/],
    [{ create, leakDetection: 'all' }, /option 'leakDetection': expected 'sampled' or 'off' or 'full'/],
    [{ create, leakSampleRate: 0 }, /option 'leakSampleRate': expected an integer of 1 to 2147483648/],
  ])('%j is refused', (options, message) => {
    expect(() => new ObjectPool(options as ObjectPoolOptions<object>)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', message),
    );
  });

  test('each is read once, and what a prototype has is no option', () => {
    let reads = 0;
    const options = Object.create({ maxIdle: -1 });
    Object.defineProperty(options, 'create', {
      enumerable: true,
      get: () => {
        reads++;
        return () => ({});
      },
    });
    new ObjectPool(options).close();
    expect(reads).toBe(1);
  });

  test.each([-1, 1.5, NaN, '1', undefined, 1025])('prewarm(%s) is refused', (count) => {
    const { pool, made } = thingPool();
    expect(() => pool.prewarm(count as number)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /prewarm\(count\): expected an integer of 0 to maxIdle, 1024, got/),
    );
    expect(made).toEqual([]);
    pool.close();
  });

  test.each([undefined, null, {}, 'fn'])('borrow(%s) is refused, with nothing acquired', (fn) => {
    const { pool, made } = thingPool();
    expect(() => pool.borrow(fn as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /borrow\(fn\), fn: expected a function/),
    );
    expect(made).toEqual([]);
    pool.close();
  });

  test('trackedLeases() checks its option', () => {
    const { pool } = thingPool();
    expect(() => pool.trackedLeases({ olderThanMs: -1 })).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', /olderThanMs/));
    pool.close();
  });
});

describe.each(DETECTION)("leases, leakDetection: '%s':", (leakDetection) => {
  const releaseHere = (lease: Lease) => lease.release();
  const ends: [string, (lease: Lease) => void][] = [
    ['lease.release()', releaseHere],
    ['dispose', (lease) => lease[Symbol.dispose]()],
  ];
  const uses: [string, (lease: Lease) => unknown][] = [
    ['value', (lease) => lease.value],
    ['release()', (lease) => lease.release()],
    ['touch()', (lease) => lease.touch('late')],
  ];

  test.each(ends)('after %s nothing but dispose and released works, also when the object has a new owner', (_, end) => {
    const { pool } = thingPool({ leakDetection });
    const lease = pool.acquire();
    const { value } = lease;
    end(lease);
    const owner = pool.acquire();
    expect(owner.value).toBe(value);
    const known =
      leakDetection === 'full'
        ? /acquired at .*object-misuse.* and released at .*object-misuse/
        : /its object may belong/;
    for (let round = 0; round < 2; round++) {
      for (const [name, use] of [...uses, ['pool.release()', (it: Lease) => pool.release(it)] as const]) {
        expect(() => use(lease), name).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED', known));
      }
      lease[Symbol.dispose]();
      expect(lease.released).toBe(true);
    }
    expect(() => releaseHere(lease)).toThrow(/object may belong to somebody else by now/i);
    expect([pool.outstanding(), owner.value === value]).toEqual([1, true]);
    owner.release();
    checkBooks(pool);
    pool.close();
  });

  test('the error of a tracked lease has the stacks in its details, and no sizes', () => {
    if (leakDetection === 'off') return;
    const { pool } = thingPool({ leakDetection });
    const lease = pool.acquire();
    releaseHere(lease);
    let error: SlabPoolError | undefined;
    try {
      lease.release();
    } catch (thrown) {
      error = thrown as SlabPoolError;
    }
    expect(error).toMatchObject({ pool: 'things' });
    expect(Object.keys(error?.details ?? {})).toEqual(['acquiredAt', 'releasedAt']);
    expect(error?.details['releasedAt']).toMatch(/^ {4}at releaseHere /);
    pool.close();
  });

  test.each([
    ['undefined', () => undefined],
    ['null', () => null],
    ['an object', () => ({})],
    ['a Proxy of its lease', (lease: Lease) => new Proxy(lease, {})],
    ['an object that inherits from its lease', (lease: Lease) => Object.create(lease)],
    ['the prototype', (lease: Lease) => Object.getPrototypeOf(lease)],
    ['a lease of buffers', () => new BufferPool({ backend: 'js' }).acquire(1)],
  ])('a method called on %s is an error with a code, and nothing is lost', (_, receiver) => {
    const { pool } = thingPool({ leakDetection });
    const lease = pool.acquire();
    for (const method of ['release', 'touch', Symbol.dispose] as const) {
      expect(() => Reflect.apply(lease[method], receiver(lease), [])).toThrow(
        coded('ERR_SLABPOOL_INVALID_THIS', /^lease\..* the lease is still out/),
      );
    }
    const released = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(lease), 'released')?.get as () => boolean;
    expect(() => Reflect.apply(released, receiver(lease), [])).toThrow(coded('ERR_SLABPOOL_INVALID_THIS'));
    expect([lease.released, pool.outstanding()]).toEqual([false, 1]);
    lease.release();
    checkBooks(pool);
    pool.close();
  });

  test.each([undefined, null, {}, 'lease', Symbol('lease')])('pool.release(%s) is refused', (other) => {
    const { pool } = thingPool({ leakDetection });
    expect(() => pool.release(other as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /release\(lease\): expected a lease that acquire\(\) returned/),
    );
    pool.close();
  });

  test("another pool's lease is refused by name, and a buffer pool refuses it as well", () => {
    const { pool } = thingPool({ leakDetection });
    const other = thingPool({ leakDetection, name: 'others' }).pool;
    const buffers = new BufferPool({ backend: 'js' });
    const lease = other.acquire();
    expect(() => pool.release(lease)).toThrow(
      coded('ERR_SLABPOOL_FOREIGN_LEASE', /the lease belongs to pool 'others'/, { pool: 'things' }),
    );
    expect(() => buffers.release(lease as never)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    expect(() => pool.release(buffers.acquire(1) as never)).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    other.release(lease);
    for (const one of [pool, other, buffers]) one.close();
  });

  test.each([7, null, {}])('touch(%s) is refused', (hint) => {
    const { pool } = thingPool({ leakDetection });
    const lease = pool.acquire();
    expect(() => lease.touch(hint as string)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /touch\(hint\): expected a string/),
    );
    lease.touch();
    lease.release();
    pool.close();
  });

  test('after close() everything but a second one is an error that says so', () => {
    const { pool, made } = thingPool({ leakDetection });
    const lease = pool.acquire();
    pool.close();
    const calls: (() => unknown)[] = [
      () => pool.acquire(),
      () => pool.borrow(() => {}),
      () => pool.prewarm(1),
      () => pool.trim(),
      () => pool.stats(),
      () => pool.diagnose(),
      () => pool.outstanding(),
      () => pool.trackedLeases(),
      () => pool.assertNoLeaks(),
    ];
    for (const call of calls) {
      expect(call).toThrow(coded('ERR_SLABPOOL_CLOSED', /it was closed; make a new ObjectPool/, { pool: 'things' }));
    }
    pool.close();
    expect(made).toHaveLength(1);
    lease.touch('late');
    pool.release(lease);
    expect(made[0]?.destroyed).toBe(1);
  });
});

test('objects of other realms are objects', () => {
  const pool = new ObjectPool({ create: () => runInNewContext('new Map()') as Map<string, string> });
  pool.borrow(({ value }) => void value.set('a', 'b'));
  const promising = new ObjectPool({ create: () => runInNewContext('Promise.resolve({})') as object });
  expect(() => promising.acquire()).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
  pool.close();
});
