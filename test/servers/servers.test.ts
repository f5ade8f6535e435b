// That the servers of these tests are there, and that they can be killed.
import { Redis as RedisClient } from 'ioredis';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Postgres } from './postgres.js';
import { Redis } from './redis.js';
import { until } from './server.js';

describe('PostgreSQL', () => {
  let server: Postgres;
  beforeAll(async () => {
    server = await Postgres.start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function connect(applicationName: string): Promise<{ client: Client; lost: Promise<unknown> }> {
    const client = new Client({ ...server.config, application_name: applicationName });
    // It says so twice.
    const lost = new Promise((resolve) => client.on('error', resolve));
    await client.connect();
    return { client, lost };
  }

  test('counts its connections', async () => {
    const { client: one } = await connect('one');
    const { client: other } = await connect('other');
    expect((await one.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    expect([await server.connections(), await server.connections('one')]).toEqual([2, 1]);
    await Promise.all([one.end(), other.end()]);
    await until(async () => (await server.connections()) === 0);
  });

  test('cuts them', async () => {
    const { lost } = await connect('cut');
    expect(await server.cut()).toBe(1);
    expect(await lost).toMatchObject({ code: '57P01' });
    await until(async () => (await server.connections()) === 0);
  });

  test('is killed, and comes again at the same port', async () => {
    const { lost } = await connect('killed');
    const { port } = server;
    await server.stop('immediate');
    await lost;
    expect(server.running).toBe(false);
    await expect(server.connections()).rejects.toThrow('ECONNREFUSED');
    await server.start();
    expect(server.port).toBe(port);
    expect(await server.connections()).toBe(0);
  });
});

describe('Redis', () => {
  let server: Redis;
  beforeAll(async () => {
    server = await Redis.start();
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('counts its connections', async () => {
    const client = new RedisClient(server.config);
    await client.connect();
    expect(await client.incr('n')).toBe(1);
    expect(await server.connections()).toBe(1);
    client.disconnect();
    await until(async () => (await server.connections()) === 0);
  });

  test('is killed, and comes again at the same port, empty', async () => {
    const client = new RedisClient(server.config);
    client.on('error', () => {});
    await client.connect();
    await client.set('kept', '1');
    const closed = new Promise((resolve) => client.once('end', resolve));
    await server.restart('kill');
    await closed;
    const next = new RedisClient(server.config);
    await next.connect();
    expect(await next.exists('kept')).toBe(0);
    next.disconnect();
  });

  test('is paused: answers nothing until it goes on', async () => {
    const client = new RedisClient(server.config);
    await client.connect();
    server.pause();
    let resumed = false;
    const answer = client.ping().then((word) => [word, resumed]);
    for (let turn = 0; turn < 1000; turn++) await new Promise(setImmediate);
    resumed = true;
    server.resume();
    expect(await answer).toEqual(['PONG', true]);
    client.disconnect();
  });
});
