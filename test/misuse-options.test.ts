import { BufferPool, type BufferPoolOptions } from 'slabpool';
import { serveStats } from 'slabpool/top';
import { describe, expect, test } from 'vitest';
import { BACKENDS, coded, KiB, MiB } from './backends.js';

const invalid = (message: RegExp) => coded('ERR_SLABPOOL_INVALID_ARG', message);
const make = (options: unknown) => () => new BufferPool(options as BufferPoolOptions);

describe('options that are wrong', () => {
  test.each([[null], [7], ['fast'], [true], [Symbol('options')], [() => {}], [[]], [[4096]]])(
    '%s instead of an object',
    (options) => {
      expect(make(options)).toThrow(
        invalid(/new BufferPool\(options\): expected an object with none but the options name, maxBytes, .*, got/),
      );
    },
  );

  test.each(['maxbytes', 'max', 'Tiers', 'zeroFill', 'leakdetection', '', '__proto__x', '0'])('misspelt: %s', (key) => {
    expect(make({ [key]: 1 })).toThrow(
      invalid(
        new RegExp(`there is no option '${key}': expected only name, maxBytes, minBytes, tiers, maxPooledSize, `),
      ),
    );
  });

  test('a misspelt option is noticed also when it is undefined', () => {
    expect(make({ maxByte: undefined })).toThrow(invalid(/no option 'maxByte'/));
  });

  const bad: [keyof BufferPoolOptions, RegExp, unknown][] = [
    ['name', /'name': expected a non-empty string, got the string ""/, ''],
    ['name', /'name': expected a non-empty string, got 7/, 7],
    ['maxBytes', /'maxBytes': expected an integer of 4096 to 70368744177664 \(bytes\), got 4095/, 4095],
    ['maxBytes', /'maxBytes'/, 2 ** 46 + 1],
    ['maxBytes', /'maxBytes'/, 0],
    ['maxBytes', /'maxBytes'/, -1],
    ['maxBytes', /'maxBytes'/, 8192.5],
    ['maxBytes', /'maxBytes'/, NaN],
    ['maxBytes', /'maxBytes'/, Infinity],
    ['maxBytes', /'maxBytes'.* got the string "1GiB"/, '1GiB'],
    ['maxBytes', /'maxBytes'.* got the bigint 8192n/, 8192n],
    ['maxBytes', /'maxBytes'.* got null/, null],
    ['maxBytes', /'maxBytes'.* got an object/, { valueOf: () => 8192 }],
    ['maxPooledSize', /'maxPooledSize': expected an integer of 1 to/, 0],
    ['maxPooledSize', /'maxPooledSize'.* to 268435456 \(bytes\), got 268435457/, 256 * MiB + 1],
    ['maxPooledSize', /'maxPooledSize'/, 1.5],
    ['maxPooledSize', /'maxPooledSize'/, '64'],
    ['maxOversizeBytes', /'maxOversizeBytes': expected an integer of 0 to/, -1],
    ['maxOversizeBytes', /'maxOversizeBytes'/, 2 ** 53],
    ['maxOversizeBytes', /'maxOversizeBytes'/, Infinity],
    ['zero', /'zero': expected 'never' or 'acquire' or 'release', got the string "always"/, 'always'],
    ['zero', /'zero'.* got true/, true],
    ['zero', /'zero'/, null],
    ['zero', /'zero'/, 'constructor'],
    ['leakDetection', /'leakDetection': expected 'sampled' or 'off' or 'full', got true/, true],
    ['leakDetection', /'leakDetection'.* got the string "none"/, 'none'],
    ['leakSampleRate', /'leakSampleRate': expected an integer of 1 to 2147483648 \(leases\), got 0/, 0],
    ['leakSampleRate', /'leakSampleRate'/, 2 ** 31 + 1],
    ['leakSampleRate', /'leakSampleRate'/, 0.5],
    ['leakSampleRate', /'leakSampleRate'/, '4096'],
    ['debug', /'debug': expected 'off' or 'poison' or 'detach', got true/, true],
    ['debug', /'debug'.* got null/, null],
    ['backend', /'backend': expected 'auto' or 'native' or 'js', got the string "wasm"/, 'wasm'],
    ['backend', /'backend'/, ''],
    ['tiers', /'tiers': expected 1 to 128 strictly ascending integers .* got an object of class Array/, []],
    ['tiers', /'tiers'.* got 4096/, 4096],
    ['tiers', /'tiers'.* got the string/, '4096'],
    ['tiers', /'tiers'.* got an object of class Set/, new Set([4096])],
    ['tiers', /'tiers'.* got an object of class Uint32Array/, new Uint32Array([4096])],
    ['tiers', /'tiers'/, { 0: 4096, length: 1 }],
    ['tiers', /'tiers'.* got 129/, Array.from({ length: 129 }, (_, i) => i + 1)],
    ['tiers', /'tiers', tier 0.* got 0/, [0]],
    ['tiers', /'tiers', tier 1.* got 1024/, [1024, 1024]],
    ['tiers', /'tiers', tier 1.* got 1024/, [2048, 1024]],
    ['tiers', /'tiers', tier 1.* got 2048.5/, [1024, 2048.5]],
    ['tiers', /'tiers', tier 1.* got the string "2048"/, [1024, '2048']],
    ['tiers', /'tiers', tier 0.* got -4/, [-4]],
    ['tiers', /'tiers', tier 0.* got NaN/, [NaN]],
    // biome-ignore lint/suspicious/noSparseArray: that is the case
    ['tiers', /'tiers', tier 1.* got undefined/, [1024, , 4096]],
    ['tiers', /'tiers', tier 0.* 1 to 268435456 .* got 268435457/, [256 * MiB + 1]],
    ['tiers', /'tiers'.* got null/, null],
  ];
  test.each(bad)('%s: %s', (key, message, value) => {
    expect(make({ [key]: value })).toThrow(invalid(message));
  });

  test('tiers together with maxPooledSize', () => {
    expect(make({ tiers: [1024], maxPooledSize: 1024 })).toThrow(
      invalid(/'maxPooledSize': expected nothing beside 'tiers'/),
    );
  });

  test('tiers and maxPooledSize above a smaller budget', () => {
    expect(make({ maxBytes: MiB, tiers: [KiB, MiB + 1] })).toThrow(invalid(/'tiers', tier 1/));
    expect(make({ maxBytes: MiB, maxPooledSize: MiB + 1 })).toThrow(invalid(/'maxPooledSize'/));
    expect(make({ maxBytes: 2 ** 40, maxPooledSize: 2 ** 30 + 1 })).toThrow(invalid(/'maxPooledSize'/));
  });

  test('a getter that throws: its own error, and no pool', () => {
    for (const key of ['name', 'maxBytes', 'tiers', 'zero', 'backend']) {
      const options = Object.defineProperty({}, key, {
        enumerable: true,
        get() {
          throw new Error(`from ${key}`);
        },
      });
      expect(make(options)).toThrow(`from ${key}`);
    }
  });
});

describe('C: options of the prototype', () => {
  test.each<[string, Record<string, unknown>, (pool: BufferPool) => unknown]>([
    ['the constructor', { maxBytes: 8192, zero: 'acquire' }, (pool) => pool],
    ['the constructor that is given some', { maxBytes: 8192 }, (pool) => pool],
    ['trackedLeases()', { olderThanMs: -1 }, (pool) => pool.trackedLeases({})],
    ['acquireAsync()', { timeout: -1, signal: 1 }, async (pool) => (await pool.acquireAsync(1, {})).release()],
    ['borrowAsync()', { timeout: -1, signal: 1 }, (pool) => pool.borrowAsync(1, () => {}, {})],
  ])('are not obeyed by %s', async (what, inherited, use) => {
    try {
      for (const [key, value] of Object.entries(inherited)) {
        Object.defineProperty(Object.prototype, key, { value, configurable: true, enumerable: false });
      }
      const pool = what.endsWith('some') ? new BufferPool({ name: 'some' }) : new BufferPool();
      expect([pool.maxBytes, pool.acquire(1).release()]).toEqual([256 * MiB, undefined]);
      await use(pool);
      pool.close();
    } finally {
      for (const key of Object.keys(inherited)) Reflect.deleteProperty(Object.prototype, key);
    }
  });

  test('are not obeyed where the options inherit them from another object', () => {
    const pool = make(Object.create({ maxBytes: 8192 }))();
    expect(pool.maxBytes).toBe(256 * MiB);
    pool.close();
  });
});

describe('C: misspelt options of functions', () => {
  test.each<[string, (pool: BufferPool, options: object) => unknown]>([
    ['trackedLeases', (pool, options) => pool.trackedLeases(options)],
    ['serveStats', (_, options) => serveStats([], options)],
    ['acquireAsync', (pool, options) => pool.acquireAsync(1, options)],
    ['borrowAsync', (pool, options) => pool.borrowAsync(1, () => expect.unreachable(), options)],
  ])('%s', async (name, call) => {
    const pool = new BufferPool();
    const wrong: [unknown, RegExp][] = [
      [{ olderThan: 1 }, /there is no option 'olderThan': expected only /],
      [null, /expected an object with none but the options .*, got null/],
      [[], /expected an object .* got an object of class Array/],
      [7, /expected an object .* got 7/],
    ];
    for (const [options, message] of wrong) {
      const outcome = new Promise((resolve) => resolve(call(pool, options as object)));
      await expect(outcome).rejects.toThrow(invalid(new RegExp(`${name}.*${message.source}`)));
    }
    pool.close();
  });
});

describe.each(BACKENDS)('options on the %s core', (backend) => {
  test('undefined stands for the default', () => {
    const pool = new BufferPool({
      backend,
      name: undefined,
      maxBytes: undefined,
      maxPooledSize: undefined,
      tiers: undefined,
      maxOversizeBytes: undefined,
      zero: undefined,
    } as object);
    expect([pool.maxBytes, pool.maxPooledSize, pool.stats().oversize.maxBytes]).toEqual([256 * MiB, MiB, 64 * MiB]);
    expect(pool.name).toMatch(/^pool-\d+$/);
    pool.close();
  });

  test('the largest pooled size follows a small budget', () => {
    const pool = new BufferPool({ backend, maxBytes: 64 * KiB });
    expect(pool.maxPooledSize).toBe(64 * KiB);
    pool.close();
  });

  test('the largest budget and the largest tier', () => {
    const pool = new BufferPool({ backend, maxBytes: 2 ** 46, maxPooledSize: 2 ** 30 });
    expect(pool.borrow(KiB, ({ capacity }) => capacity)).toBe(KiB);
    pool.close();
  });

  test('tiers that change while they are read are taken as they were checked', () => {
    let reads = 0;
    const tiers = new Proxy([KiB, 2 * KiB], {
      get(target, key, receiver) {
        if (key === '0' && ++reads > 2) return 2 ** 31;
        return Reflect.get(target, key, receiver);
      },
    });
    const pool = new BufferPool({ backend, tiers });
    expect(pool.tiers).toEqual([KiB, 2 * KiB]);
    expect(pool.borrow(1, ({ capacity }) => capacity)).toBe(KiB);
    pool.close();
  });
});
