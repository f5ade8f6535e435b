import { BufferPool, type PoolHandle } from 'slabpool';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkBooks, coded, KiB, MiB } from './backends.js';
import { fixture, run } from './child.js';
import { Member, terminateAll } from './member.js';

const invalid = coded('ERR_SLABPOOL_INVALID_ARG');
const gone = coded('ERR_SLABPOOL_CLOSED', /cannot attach/);

let pool: BufferPool;
beforeEach(() => {
  pool = new BufferPool({ name: 'victim', tiers: [4 * KiB, 64 * KiB], maxBytes: MiB, backend: 'native' });
});
afterEach(async () => {
  await terminateAll();
  pool.assertNoLeaks();
  checkBooks(pool);
  pool.close();
});

function attachFails(handle: unknown, error: unknown): void {
  expect(() => BufferPool.attach(handle as PoolHandle)).toThrow(error as Error);
}

describe('attach to', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a string', 'pool'],
    ['an empty object', {}],
    ['an array', []],
    ['a pool itself', new BufferPool({ backend: 'js' })],
    ['a function', () => 1],
  ])('%s', (_, handle) => {
    attachFails(handle, coded('ERR_SLABPOOL_INVALID_ARG', /attach\(handle\): expected the handle of a pool, got/));
  });

  const strange = [undefined, null, '', 'x', 0.5, -1, NaN, Infinity, 2 ** 32, 2 ** 53, 1n, true, [], {}, Symbol('s')];

  test.each(['slabpool', 'address', 'options'] as const)('a handle whose %s is something else', (field) => {
    for (const value of strange) {
      if (field === 'options' && typeof value === 'object' && value !== null && !Array.isArray(value)) continue;
      attachFails({ ...pool.handle, [field]: value }, invalid);
    }
  });

  test.each(['copyId', 'slot', 'serial'] as const)('a handle whose %s is of another kind', (field) => {
    for (const value of strange) {
      if (field === 'copyId' && typeof value === 'string') continue;
      const { address } = pool.handle;
      attachFails({ ...pool.handle, address: { ...address, [field]: value } }, invalid);
    }
  });

  test.each<[string, (options: PoolHandle['options']) => object]>([
    ['no options', () => ({})],
    ['one tier less', (options) => ({ ...options, tiers: options.tiers.slice(1), maxPooledSize: 64 * KiB })],
    ['one tier more', (options) => ({ ...options, tiers: [KiB, ...options.tiers] })],
    ['larger tiers', (options) => ({ ...options, tiers: options.tiers.map((tier) => 2 * tier) })],
    ['smaller tiers', (options) => ({ ...options, tiers: options.tiers.map((tier) => tier / 2) })],
    ['a tier of another kind', (options) => ({ ...options, tiers: [4 * KiB, '65536'] })],
    ['another budget', (options) => ({ ...options, maxBytes: 2 * MiB })],
    ['a budget of another kind', (options) => ({ ...options, maxBytes: '1' })],
    ['an epoch of another kind', (options) => ({ ...options, epochMs: -1 })],
    ['a wrong zero', (options) => ({ ...options, zero: 'always' })],
    ['a wrong backend', (options) => ({ ...options, backend: 'gpu' })],
    ['a wrong name', (options) => ({ ...options, name: 7 })],
    ['an option that there is not', (options) => ({ ...options, maxByte: 1 })],
  ])('a handle with %s, which are not those of the pool', (_, forge) => {
    const { handle } = pool;
    attachFails({ ...handle, options: forge(handle.options) }, invalid);
  });

  test('a handle of which a getter throws, or that is a Proxy', () => {
    const { handle } = pool;
    const hostile = Object.defineProperty({ ...handle }, 'address', {
      get() {
        throw new Error('from the getter');
      },
    });
    expect(() => BufferPool.attach(hostile)).toThrow('from the getter');
    const member = BufferPool.attach(new Proxy(handle, {}));
    member.borrow(100, ({ bytes }) => void bytes.fill(1));
    member.close();
  });

  test.each<[string, (address: PoolHandle['address']) => object]>([
    ['the next slot', ({ slot }) => ({ slot: slot + 1 })],
    ['the last slot', () => ({ slot: 4095 })],
    ['a slot outside the table', () => ({ slot: 4096 })],
    ['the largest slot', () => ({ slot: 2 ** 32 - 1 })],
    ['the next serial', ({ serial }) => ({ serial: serial + 1 })],
    ['the serial before', ({ serial }) => ({ serial: (serial - 1) >>> 0 })],
    ['the largest serial', () => ({ serial: 2 ** 32 - 1 })],
  ])('%s, where no pool is', (_, forge) => {
    const { address, ...rest } = pool.handle;
    attachFails({ ...rest, address: { ...address, ...forge(address) } }, gone);
  });

  test('an address of another copy of the addon, or another process', () => {
    const { address, ...rest } = pool.handle;
    for (const copyId of ['', '0-0', `${address.copyId} `]) {
      const foreign = coded('ERR_SLABPOOL_BACKEND', /another copy of the addon .*or by another process/, {
        pool: 'victim',
      });
      attachFails({ ...rest, address: { ...address, copyId } }, foreign);
    }
  });

  test('the pool of a worker that has ended', async () => {
    const member = await Member.start();
    await expect(member.call('attach', null as never)).rejects.toThrow(invalid);
    await member.call('attach', pool.handle);
    await member.call('acquire', 100);
    await member.terminate();
    BufferPool.attach(pool.handle).close();
  });
});

test('a handle from another process is refused', async () => {
  const script = `
    const { BufferPool } = await import(process.argv[1]);
    const pools = Array.from({ length: 3 }, () => new BufferPool({ name: 'afar', backend: 'native' }));
    console.log(JSON.stringify(pools.map(({ handle }) => handle)));`;
  const ended = await run(new URL('../dist/index.js', import.meta.url).href, [], {
    execArgv: ['--input-type=module', '-e', script],
  });
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const foreign = coded('ERR_SLABPOOL_BACKEND', /by another process/, { pool: 'afar' });
  for (const handle of JSON.parse(ended.stdout)) attachFails(handle, foreign);
});

test('a member attached twice in one thread: two memberships, whose leases are foreign to each other', () => {
  const twin = BufferPool.attach(pool.handle);
  const lease = twin.acquire(100);
  expect(() => pool.release(lease)).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE'));
  expect(() => pool.releaseMany([lease])).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE'));
  expect([pool.outstanding(), twin.outstanding()]).toEqual([0, 1]);
  const moved = pool.adopt(lease.transfer());
  expect([pool.outstanding(), twin.outstanding()]).toEqual([1, 0]);
  expect(() => twin.release(moved)).toThrow(coded('ERR_SLABPOOL_FOREIGN_LEASE'));
  moved.release();
  twin.close();
});

test('a lease that is posted is no lease on the other side', async () => {
  const lease = pool.acquire(100);
  const clone = structuredClone({ lease }).lease;
  expect(() => pool.release(clone)).toThrow(invalid);
  lease.release();
});

test('terminated while it attaches, again and again: nothing stays', async () => {
  const ended = await run(fixture('attaching.mjs'), ['40']);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'ok\n', stderr: '' });
});
