import { Writable } from 'node:stream';
import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded, KiB, MiB } from './backends.js';

// Refused before any core is asked: once is enough.
const METHODS = ['release', 'transfer', 'reclaim', 'touch', 'view', Symbol.dispose] as const;
const lost = coded('ERR_SLABPOOL_INVALID_THIS', /^lease\..* the lease is still out\..* pass \(\) => lease\./);
const RECEIVERS: [string, (lease: Lease) => unknown][] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['an emitter', () => process],
  ['an object', () => ({})],
  ['a Proxy of its lease', (lease) => new Proxy(lease, {})],
  ['an object that inherits from its lease', (lease) => Object.create(lease)],
  ['the prototype', (lease) => Object.getPrototypeOf(lease)],
];

describe.each(METHODS)('C: %s without its lease', (method) => {
  test.each(RECEIVERS)('on %s is an error with a code, and nothing is lost', (_, receiver) => {
    const pool = new BufferPool({ name: 'misused' });
    for (const size of [0, 5000, 2 * MiB]) {
      const lease = pool.acquire(size);
      const { bytes } = lease;
      expect(() => Reflect.apply(lease[method], receiver(lease), [])).toThrow(lost);
      expect([lease.released, pool.outstanding(), lease.bytes === bytes]).toEqual([false, 1, true]);
      lease.release();
      expect([lease.released, pool.outstanding()]).toEqual([true, 0]);
    }
    checkBooks(pool);
    pool.close();
  });
});

describe.each(BACKENDS)('methods without their lease on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'misused', backend });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('C: a stream that is given lease.release as its callback: the error names the way out, and the lease is still out', async () => {
    const lease = pool.acquire(KiB);
    const sink = new Writable({ write: (_chunk, _encoding, done) => done() });
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const thrown = await new Promise((resolve) => {
      process.once('uncaughtException', resolve);
      sink.write(lease.bytes, lease.release);
    });
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(thrown).toMatchObject({ code: 'ERR_SLABPOOL_INVALID_THIS' });
    expect([lease.released, pool.outstanding()]).toEqual([false, 1]);
    await new Promise<void>((resolve) => {
      sink.write(lease.bytes, () => {
        lease.release();
        resolve();
      });
    });
  });

  test('C: pool.release() of a Proxy is refused, and the lease can still be released', () => {
    const lease = pool.acquire(KiB);
    expect(() => pool.release(new Proxy(lease, {}))).toThrow(coded('ERR_SLABPOOL_INVALID_ARG'));
    pool.release(lease);
  });

  test('released says whether a lease has ended, whichever way it did, and never throws', () => {
    const [a, b, c, d] = pool.acquireMany(100, 4);
    const large = pool.acquire(2 * MiB);
    expect([a, b, c, d, large].map((lease) => lease.released)).toEqual([false, false, false, false, false]);
    a.release();
    b[Symbol.dispose]();
    const ticket = c.transfer();
    pool.release(large);
    expect([a, b, c, d, large].map((lease) => lease.released)).toEqual([true, true, true, false, true]);
    const adopted = pool.adopt(ticket);
    expect(adopted.released).toBe(false);
    pool.releaseMany([adopted, d]);
    expect([adopted.released, d.released]).toEqual([true, true]);
    const full = new BufferPool({ backend, leakDetection: 'full' });
    const [tracked, kept] = full.acquireMany(1, 2);
    tracked.release();
    expect([tracked.released, kept.released]).toEqual([true, false]);
    full.close();
    expect([tracked.released, kept.released]).toEqual([true, false]);
  });
});
