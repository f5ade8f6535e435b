import { BufferPool, type Lease } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, coded } from './backends.js';

describe.each(BACKENDS)('borrow on the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ backend });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  test('returns what the function returns, and has released by then', () => {
    let borrowed: Lease | undefined;
    const length = pool.borrow(100, (lease) => {
      borrowed = lease;
      expect(pool.outstanding()).toBe(1);
      return lease.view().length;
    });
    expect(length).toBe(100);
    expect(pool.outstanding()).toBe(0);
    expect(() => borrowed?.bytes).toThrow(coded('ERR_SLABPOOL_LEASE_RELEASED'));
  });

  test('releases when the function throws', () => {
    expect(() =>
      pool.borrow(100, () => {
        throw new Error('from the function');
      }),
    ).toThrow('from the function');
  });

  test('releases when the promise is fulfilled, not before', async () => {
    let open = () => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const result = pool.borrow(100, async (lease) => {
      await opened;
      return lease.view().length;
    });
    expect(pool.outstanding()).toBe(1);
    open();
    await expect(result).resolves.toBe(100);
    expect(pool.outstanding()).toBe(0);
  });

  test('releases when the promise is rejected', async () => {
    await expect(pool.borrow(100, () => Promise.reject(new Error('later')))).rejects.toThrow('later');
  });

  test('waits for any thenable', async () => {
    // biome-ignore lint/suspicious/noThenProperty: a thenable is the case
    const thenable = { then: (resolve: (value: number) => void) => setImmediate(resolve, 7) };
    const result = pool.borrow(100, () => thenable);
    expect(pool.outstanding()).toBe(1);
    await expect(result).resolves.toBe(7);
  });

  test('the function may release by itself', async () => {
    expect(pool.borrow(100, (lease) => lease.release())).toBeUndefined();
    await pool.borrow(100, async (lease) => pool.release(lease));
    expect(() =>
      pool.borrow(100, (lease) => {
        lease.release();
        throw new Error('after the release');
      }),
    ).toThrow('after the release');
  });

  test('loans can be nested', () => {
    const same = pool.borrow(100, (a) => pool.borrow(100, (b) => a.buffer === b.buffer));
    expect(same).toBe(false);
  });

  test('a result whose `then` throws does not keep the lease', () => {
    const hostile = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is the case
      get then(): unknown {
        throw new Error('from then');
      },
    };
    expect(() => pool.borrow(100, () => hostile)).toThrow('from then');
    expect(pool.outstanding()).toBe(0);
  });

  test('a promise whose constructor cannot be read does not keep the lease', () => {
    const hostile = Object.defineProperty(Promise.resolve(), 'constructor', {
      get() {
        throw new Error('from constructor');
      },
    });
    expect(() => pool.borrow(100, () => hostile)).toThrow('from constructor');
    expect(pool.outstanding()).toBe(0);
  });

  describe("B13: what lies in the lease's own memory is refused, since the next owner writes there", () => {
    const views: [string, (lease: Lease) => unknown][] = [
      ['its Buffer', ({ bytes }) => bytes],
      ['its ArrayBuffer', ({ buffer }) => buffer],
      ['its view()', (lease) => lease.view()],
      ['a part of it', ({ bytes }) => bytes.subarray(7, 9)],
      ['an empty part of it', ({ bytes }) => bytes.subarray(7, 7)],
      ['a DataView', ({ buffer }) => new DataView(buffer, 8)],
      ['a typed array', ({ buffer }) => new Float64Array(buffer)],
      [
        'a view, of a lease that it has released',
        (lease) => {
          const { bytes } = lease;
          lease.release();
          return bytes;
        },
      ],
    ];
    const refused = coded('ERR_SLABPOOL_BORROWED', /fn returned memory of its lease.* Return a copy/);

    test.each(views)('%s', async (_, use) => {
      for (const size of [0, 5000, 2 ** 21]) {
        expect(() => pool.borrow(size, use)).toThrow(refused);
        expect(pool.outstanding()).toBe(0);
        await expect(pool.borrow(size, async (lease) => use(lease))).rejects.toThrow(refused);
        expect(pool.outstanding()).toBe(0);
      }
    });

    test('while copies, and memory of others, pass', async () => {
      const other = pool.acquire(5000);
      const passes: ((lease: Lease) => unknown)[] = [
        (lease) => Buffer.from(lease.view()),
        ({ bytes }) => Uint8Array.prototype.slice.call(bytes, 0, 5),
        ({ bytes }) => bytes.toString('latin1', 0, 5),
        () => other.bytes,
        () => other.buffer,
        (lease) => [lease],
        () => undefined,
        () => null,
      ];
      for (const use of passes) {
        pool.borrow(5000, use);
        await pool.borrow(5000, async (lease) => use(lease));
      }
      other.release();
    });
  });

  test('what is not a function is refused before anything is leased', () => {
    expect(() => pool.borrow(100, undefined as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', /a function, got undefined/),
    );
    expect(pool.stats().acquires).toBe(0);
  });
});
