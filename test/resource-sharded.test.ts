import { ShardedPool } from 'slabpool/resource';
import { beforeEach, expect, test } from 'vitest';
import { coded } from './backends.js';
import { type Thing, Upstream, watched } from './resources.js';
import { VirtualClock } from './virtual-clock.js';

let clock: VirtualClock;
beforeEach(() => {
  clock = new VirtualClock();
});

const SHARDS = Array.from({ length: 8 }, (_, i) => `shard-${i}`);
const KEYS = Array.from({ length: 20_000 }, (_, i) => `user:${i}`);

/** A pool over these shards, and what is behind each. */
function sharded(names: readonly string[], maxSize = 2) {
  const upstreams = Object.fromEntries(names.map((name) => [name, new Upstream()]));
  const shards = Object.fromEntries(
    Object.entries(upstreams).map(([name, upstream]) => [name, { ...upstream.options(), maxSize }]),
  );
  return { pool: new ShardedPool<Thing>({ name: 'sharded', shards }), upstreams };
}

test('each key has a shard, the same in whatever order they are given, and each shard as many keys', () => {
  const { pool } = sharded(SHARDS);
  const { pool: other } = sharded([...SHARDS].reverse());
  const counts = new Map<string, number>();
  for (const key of KEYS) {
    const shard = pool.shardOf(key);
    expect(other.shardOf(key)).toBe(shard);
    counts.set(shard, (counts.get(shard) ?? 0) + 1);
  }
  // 2,500 each; the standard deviation of a fair draw is 47.
  for (const shard of SHARDS) expect(Math.abs((counts.get(shard) ?? 0) - 2500)).toBeLessThan(5 * 47);
});

test('where a key belongs does not change from release to release', () => {
  const { pool } = sharded(SHARDS);
  expect(['', 'a', 'user:1', 'user:2', 'ключ', '🔑'].map((key) => pool.shardOf(key))).toMatchInlineSnapshot(`
    [
      "shard-4",
      "shard-3",
      "shard-0",
      "shard-1",
      "shard-4",
      "shard-2",
    ]
  `);
});

test('a shard that is taken out gives its keys to all others, and no other key moves', () => {
  const { pool } = sharded(SHARDS);
  const { pool: fewer } = sharded(SHARDS.slice(0, 7));
  const moved = new Map<string, number>();
  for (const key of KEYS) {
    const [before, after] = [pool.shardOf(key), fewer.shardOf(key)];
    if (before === 'shard-7') moved.set(after, (moved.get(after) ?? 0) + 1);
    else expect(after).toBe(before);
  }
  // 357 each, by a fair draw; its standard deviation is 17.
  expect([...moved.keys()].sort()).toEqual(SHARDS.slice(0, 7));
  for (const count of moved.values()) expect(Math.abs(count - 357)).toBeLessThan(5 * 18);
});

test('a shard that is slow makes nobody wait who wants another one', async () => {
  const { pool, upstreams } = sharded(SHARDS, 1);
  const slow = pool.shardOf('user:1');
  (upstreams[slow] as Upstream).down = () => new Promise(() => {});
  const waits = Array.from({ length: 100 }, () => watched(pool.acquire('user:1')));
  const other = KEYS.find((key) => pool.shardOf(key) !== slow) as string;
  await pool.borrow(other, ({ value }) => value.id);
  const lease = await pool.acquire(other);
  expect(waits.every(({ state }) => state === 'pending')).toBe(true);
  expect(pool.stats()[slow]).toMatchObject({ name: `sharded/${slow}`, waits: { waiting: 100 } });
  expect(pool.pools.get(pool.shardOf(other))?.outstanding()).toBe(1);
  const end = watched(pool.close({ timeout: 50 }));
  await clock.advance(50);
  expect(waits.every(({ error }) => error?.code === 'ERR_SLABPOOL_CLOSED')).toBe(true);
  await clock.advance(10_000);
  expect(end.error?.code).toBe('ERR_SLABPOOL_TIMEOUT');
  lease.release();
  expect(clock.pending).toBe(0);
});

test('misuse', async () => {
  const make = (options: unknown) => () => new ShardedPool(options as never);
  const { pool } = sharded(['one']);
  const invalid = (message: RegExp) => coded('ERR_SLABPOOL_INVALID_ARG', message);
  for (const shards of [undefined, null, {}, [], 'one', 7, new Map([['one', {}]])])
    expect(make({ shards })).toThrow(
      invalid(/option 'shards': expected an object with the options of at least one shard/),
    );
  expect(make(undefined)).toThrow(invalid(/'shards'/));
  expect(make({ shards: { one: {} } })).toThrow(invalid(/option 'open': expected a function/));
  expect(make({ shards: { one: new Upstream().options() }, shard: 1 })).toThrow(invalid(/there is no option 'shard'/));
  expect(make({ shards: { one: new Upstream().options() }, name: '' })).toThrow(invalid(/'name'/));
  for (const key of [undefined, 7, null, {}]) {
    expect(() => pool.shardOf(key as never)).toThrow(invalid(/shardOf\(key\), key: expected a string/));
    await expect(pool.acquire(key as never)).rejects.toThrow(invalid(/key/));
  }
  await expect(pool.borrow('key', 7 as never)).rejects.toThrow(invalid(/fn: expected a function/));
  await pool[Symbol.asyncDispose]();
  expect(() => pool.stats()).toThrow(coded('ERR_SLABPOOL_CLOSED'));
});
