// ShardedPool before real servers, one of which stands still.
import { Redis as Client } from 'ioredis';
import { ShardedPool } from 'slabpool/resource';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Redis } from './redis.js';
import { until } from './server.js';

const SHARDS = 8;
const SIZE = 3;
const KEYS = Array.from({ length: 200 }, (_, i) => `user:${i}`);

let servers: Redis[] = [];
beforeAll(async () => {
  servers = await Promise.all(Array.from({ length: SHARDS }, () => Redis.start()));
});
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

test('each key lies where it belongs; a shard that stands still holds nobody up but its own', async () => {
  let opened = 0;
  let closed = 0;
  const shards = servers.map((server, i) => [
    `shard-${i}`,
    {
      async open() {
        const client = new Client(server.config);
        client.on('error', () => {});
        await client.connect();
        opened++;
        return client;
      },
      close(client: Client) {
        closed++;
        client.disconnect();
      },
      maxSize: SIZE,
    },
  ]);
  const pool = new ShardedPool<Client>({ shards: Object.fromEntries(shards) });
  await Promise.all(KEYS.map((key) => pool.borrow(key, ({ value }) => value.set(key, pool.shardOf(key)))));
  for (const [i, server] of servers.entries()) {
    expect(await server.connections()).toBeLessThanOrEqual(SIZE);
    const client = new Client(server.config);
    await client.connect();
    const kept = await client.keys('*');
    expect(kept.sort()).toEqual(KEYS.filter((key) => pool.shardOf(key) === `shard-${i}`).sort());
    client.disconnect();
  }

  const still = servers[0] as Redis;
  still.pause();
  let held = 0;
  const stuck = KEYS.filter((key) => pool.shardOf(key) === 'shard-0').map(async (key) => {
    await pool.borrow(key, ({ value }) => value.get(key));
    held++;
  });
  const others = KEYS.filter((key) => pool.shardOf(key) !== 'shard-0');
  for (let round = 0; round < 5; round++) {
    const values = await Promise.all(others.map((key) => pool.borrow(key, ({ value }) => value.get(key))));
    expect(values).toEqual(others.map((key) => pool.shardOf(key)));
  }
  expect([held, pool.stats()['shard-0']?.waits.waiting]).toEqual([0, stuck.length - SIZE]);
  still.resume();
  await Promise.all(stuck);
  await pool.close();
  expect(closed).toBe(opened);
  await until(async () =>
    (await Promise.all(servers.map((server) => server.connections()))).every((count) => count === 0),
  );
});
