import { createContext, runInContext } from 'node:vm';
import { ResourcePool, type ResourcePoolOptions } from 'slabpool/resource';
import { describe, expect, test } from 'vitest';
import { coded } from './backends.js';
import { Upstream } from './resources.js';

const invalid = (message: RegExp) => coded('ERR_SLABPOOL_INVALID_ARG', message);
const make = (options: unknown) => () => new ResourcePool(options as ResourcePoolOptions<unknown>);
const functions = { open: () => ({}), close: () => {} };

describe('options that are wrong', () => {
  test.each([[null], [7], ['fast'], [true], [() => {}], [[]]])('%s instead of an object', (options) => {
    expect(make(options)).toThrow(
      invalid(/new ResourcePool\(options\): expected an object with none but the options name, open/),
    );
  });

  test.each([[undefined], [{}], [{ open: 7 }], [{ open: 'open' }], [{ close() {} }]])('%s has no open', (options) => {
    expect(make(options)).toThrow(invalid(/option 'open': expected a function \(signal\) => resource, got/));
  });

  test.each(['maxsize', 'max', 'min', 'idleTimeoutMillis', 'create', 'destroy', 'validate'])('misspelt: %s', (key) => {
    expect(make({ ...functions, [key]: 1 })).toThrow(
      invalid(new RegExp(`there is no option '${key}': expected only name, open, `)),
    );
  });

  test.each<[keyof ResourcePoolOptions<unknown>, RegExp, unknown]>([
    ['name', /a non-empty string/, ''],
    ['close', /expected a function \(resource, why\)/, undefined],
    ['check', /expected a function \(resource, signal\) => boolean, got true/, true],
    ['maxSize', /expected an integer of 1 to 65536 \(resources\), got 0/, 0],
    ['maxSize', /got Infinity/, Infinity],
    ['maxSize', /got the string "10"/, '10'],
    ['minIdle', /expected an integer of 0 to 10 \(resources\), got 11/, 11],
    ['maxLifetimeMs', /expected a number of 1 to 2147483647 \(milliseconds\), or Infinity, got 0/, 0],
    ['maxLifetimeMs', /got NaN/, NaN],
    ['maxLifetimeMs', /got 2147483648/, 2 ** 31],
    [
      'maxLifetimeJitterMs',
      /expected a number of 0 to maxLifetimeMs, 3600000 \(milliseconds\), got 3600001/,
      3_600_001,
    ],
    ['maxLifetimeJitterMs', /got Infinity/, Infinity],
    ['maxIdleMs', /got -1/, -1],
    ['checkAfterIdleMs', /got null/, null],
    ['openTimeoutMs', /expected an integer of 1 to 2147483647/, Infinity],
    ['openRetries', /expected an integer of 0 to 100 \(retries\), got 101/, 101],
    ['whenExhausted', /expected 'wait' or 'throw', got the string "reject"/, 'reject'],
    ['acquireTimeoutMs', /got -1/, -1],
    ['maxWaiting', /expected an integer of 1 to 1048576 \(requests\)/, 2 ** 21],
    ['order', /expected 'lifo' or 'fifo'/, 'LIFO'],
    [
      'breaker',
      /option 'breaker': expected an object with none but the options failures, windowMs, coolDownMs, got true/,
      true,
    ],
    ['breaker', /there is no option 'failure'/, { failure: 1 }],
    ['breaker', /option 'breaker\.failures': expected an integer of 1 to 1000/, { failures: 0 }],
    ['breaker', /option 'breaker\.coolDownMs'/, { coolDownMs: 0.5 }],
    ['leakDetection', /'sampled' or 'off' or 'full'/, true],
    ['leakSampleRate', /an integer of 1 to 2147483648/, 0],
  ])('%s: %s', (key, message, value) => {
    expect(make({ ...functions, [key]: value })).toThrow(invalid(message));
    expect(make({ ...functions, [key]: value })).toThrow(invalid(new RegExp(`option '${key}|no option`)));
  });

  test('each is read once, and what stands in a prototype is none', () => {
    let reads = 0;
    const options = Object.create(
      { maxSize: 0 },
      {
        open: { enumerable: true, value: () => ({}) },
        close: { enumerable: true, value: () => {} },
        minIdle: { enumerable: true, get: () => reads++ },
      },
    );
    expect(make(options)().stats()).toMatchObject({ maxSize: 10, minIdle: 0 });
    expect(reads).toBe(1);
  });
});

describe('a lease', () => {
  const RECEIVERS: [string, (lease: object) => unknown][] = [
    ['undefined', () => undefined],
    ['null', () => null],
    ['an object', () => ({})],
    ['a Proxy of its lease', (lease) => new Proxy(lease, {})],
    ['an object that inherits from its lease', (lease) => Object.create(lease)],
    ['the prototype', (lease) => Object.getPrototypeOf(lease)],
  ];

  describe.each(['release', 'destroy', 'touch', Symbol.dispose] as const)('%s without its lease', (method) => {
    test.each(RECEIVERS)('on %s', async (_, receiver) => {
      const pool = new Upstream().pool();
      const lease = await pool.acquire();
      expect(() => Reflect.apply(lease[method], receiver(lease), [])).toThrow(
        coded('ERR_SLABPOOL_INVALID_THIS', /^lease\..* the lease is still out\..* pass \(\) => lease\./),
      );
      expect([lease.released, pool.outstanding()]).toEqual([false, 1]);
      lease.release();
      await pool.close();
    });
  });

  test('of another pool, and what is none', async () => {
    const [pool, other] = [new Upstream().pool({ name: 'mine' }), new Upstream().pool({ name: 'other' })];
    const lease = await other.acquire();
    expect(() => pool.release(lease)).toThrow(
      coded('ERR_SLABPOOL_FOREIGN_LEASE', /pool 'mine': the lease belongs to pool 'other'; release it there/),
    );
    expect(lease.released).toBe(false);
    other.release(lease);
    for (const given of [undefined, null, {}, lease.constructor, 7, new Proxy(lease, {})]) {
      expect(() => pool.release(given as never)).toThrow(invalid(/release\(lease\): expected a lease/));
    }
    const mine = await pool.acquire();
    expect(() => mine.touch(7 as never)).toThrow(invalid(/touch\(hint\): expected a string, got 7/));
    mine.release();
    expect(() => mine.touch()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
  });

  test('that is released while the pool is closed, and after', async () => {
    const upstream = new Upstream();
    const pool = upstream.pool();
    const [one, two] = [await pool.acquire(), await pool.acquire()];
    const end = pool.close({ timeout: 20 });
    one.release();
    await expect(end).rejects.toThrow(coded('ERR_SLABPOOL_TIMEOUT', /1 was out/));
    two.destroy();
    expect(() => two.destroy()).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
    expect(upstream.closed).toEqual(['closed', 'closed']);
  });
});

describe('calls that are wrong', () => {
  const pool = new Upstream().pool();

  test.each<[unknown, RegExp]>([
    [null, /acquire\(options\): expected an object/],
    [7, /expected an object/],
    [{ timeout: '1' }, /acquire\(options\), option 'timeout': expected a number of 0 to 2147483647/],
    [{ timeout: -1 }, /'timeout'/],
    [{ timeOut: 1 }, /no option 'timeOut'/],
    [{ signal: {} }, /option 'signal': expected an AbortSignal/],
  ])('acquire(%s)', async (options, message) => {
    await expect(pool.acquire(options as never)).rejects.toThrow(invalid(message));
    await expect(pool.borrow(() => {}, options as never)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    await expect(pool.close(options as never)).rejects.toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    expect(pool.stats()).toMatchObject({ used: 0, waits: { waiting: 0 } });
  });

  test('borrow() of what is no function', async () => {
    for (const fn of [undefined, null, 7, {}])
      await expect(pool.borrow(fn as never)).rejects.toThrow(invalid(/borrow\(fn, options\), fn: expected a function/));
  });

  test('trackedLeases()', () => {
    expect(() => pool.trackedLeases({ olderThanMs: -1 })).toThrow(invalid(/olderThanMs/));
    expect(() => pool.trackedLeases({ older: 1 } as never)).toThrow(invalid(/no option 'older'/));
  });

  test('signals and resources of another realm are as good', async () => {
    const context = createContext({ AbortController });
    const signal: AbortSignal = runInContext('new AbortController().signal', context);
    const resource = runInContext('({ foreign: true })', context);
    const foreign = new ResourcePool({ open: () => resource, close: () => runInContext('Promise.resolve()', context) });
    const lease = await foreign.acquire({ signal });
    expect(lease.value).toBe(resource);
    lease.release();
    await foreign.close();
  });

  test('resources may be anything but a promise', async () => {
    for (const resource of [undefined, null, 0, 'text', Symbol('one')]) {
      const closed: unknown[] = [];
      const odd = new ResourcePool<unknown>({ open: () => resource, close: (one) => closed.push(one) });
      expect(await odd.borrow(({ value }) => value)).toBe(resource);
      await odd.close();
      expect(closed).toEqual([resource]);
    }
  });
});
