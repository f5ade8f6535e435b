// ResourcePool and FailoverPool before real servers, which are killed, cut off and started again under load.
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { FailoverPool, ResourcePool, type ResourcePoolOptions } from 'slabpool/resource';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Postgres } from './postgres.js';
import { until } from './server.js';

const TASKS = 32;
const SIZE = 10;

let servers: Postgres[] = [];
beforeEach(async () => {
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]();
});

async function start(): Promise<Postgres> {
  const server = await Postgres.start();
  servers.push(server);
  return server;
}

/** Connections of `server`, and how many were opened and closed. */
function clients(server: Postgres) {
  const counts = { opened: 0, closed: 0 };
  const options: ResourcePoolOptions<Client> = {
    async open() {
      const client = new Client({ ...server.config, application_name: 'pooled', connectionTimeoutMillis: 5000 });
      client.on('error', () => {});
      await client.connect();
      counts.opened++;
      return client;
    },
    close: (client) => {
      counts.closed++;
      return client.end();
    },
    check: (client) => client.query(''),
    maxSize: SIZE,
    openRetries: 0,
  };
  return { counts, options };
}

interface Lender {
  borrow: ResourcePool<Client>['borrow'];
}

/** Tasks that ask one question after the other. */
class Load {
  readonly #pool: Lender;
  readonly #tasks: Promise<void>[];
  #over = false;
  answered = 0;
  /** Requests that failed, by what the error says. */
  readonly failed = new Map<string, number>();
  /** What had an answer when it was tried again at once, at most so often. */
  readonly tries: number;

  constructor(pool: Lender, tries = 1) {
    this.#pool = pool;
    this.tries = tries;
    this.#tasks = Array.from({ length: TASKS }, () => this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      for (let left = this.tries; ; left--) {
        try {
          await this.#ask();
          this.answered++;
          break;
        } catch (error) {
          if (left > 1) continue;
          const { code, message } = error as { code?: string; message: string };
          this.failed.set(code ?? message, (this.failed.get(code ?? message) ?? 0) + 1);
          // One that is refused at once would leave no time for anything else.
          await setTimeout(1);
          break;
        }
      }
    }
  }

  #ask(): Promise<unknown> {
    return this.#pool.borrow(
      async (lease) => {
        try {
          expect((await lease.value.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
        } catch (error) {
          lease.destroy(error);
          throw error;
        }
      },
      { timeout: 5000 },
    );
  }

  /** Resolves when so many more were answered. */
  async more(count: number): Promise<void> {
    const target = this.answered + count;
    await until(async () => this.answered >= target);
  }

  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#tasks);
  }
}

test('32 tasks on 10 connections: the server sees ten, and none when the pool is closed', async () => {
  const server = await start();
  const { counts, options } = clients(server);
  const pool = new ResourcePool(options);
  const load = new Load(pool);
  await load.more(1000);
  expect(await server.connections('pooled')).toBe(SIZE);
  await load.end();
  expect([load.failed.size, pool.stats().size, pool.outstanding()]).toEqual([0, SIZE, 0]);
  await pool.close();
  expect(counts).toEqual({ opened: SIZE, closed: SIZE });
  await until(async () => (await server.connections('pooled')) === 0);
});

test('a server that is killed and comes again: nobody hangs, nothing is lost, all goes on', async () => {
  const server = await start();
  const { counts, options } = clients(server);
  const pool = new ResourcePool({ ...options, breaker: { coolDownMs: 100 } });
  const load = new Load(pool);
  for (let i = 0; i < 3; i++) {
    await load.more(500);
    await server.stop('immediate');
    await until(async () => pool.stats().circuit.state !== 'closed');
    await server.start();
    await load.more(500);
    expect(await server.connections('pooled')).toBeLessThanOrEqual(SIZE);
  }
  await load.end();
  expect(load.failed.get('ERR_SLABPOOL_CIRCUIT_OPEN')).toBeGreaterThan(0);
  expect(load.failed.has('ERR_SLABPOOL_TIMEOUT')).toBe(false);
  expect(pool.stats()).toMatchObject({ used: 0, opening: 0, waits: { waiting: 0, timedOut: 0 } });
  await pool.close();
  expect(counts.closed).toBe(counts.opened);
  await until(async () => (await server.connections('pooled')) === 0);
});

test('connections that are cut: under load, and while they are idle', async () => {
  const server = await start();
  const { counts, options } = clients(server);
  const pool = new ResourcePool({ ...options, checkAfterIdleMs: 0 });
  const load = new Load(pool);
  for (let i = 0; i < 5; i++) {
    await load.more(300);
    await server.cut();
  }
  await load.more(300);
  await load.end();
  const { closed } = pool.stats();
  expect(closed.destroyed + closed.check).toBeGreaterThan(0);
  await server.cut();
  // Those that are idle now do not pass their checks, and nobody notices.
  const { rows } = await pool.borrow(({ value }) => value.query('SELECT 2 AS two'));
  expect(rows).toEqual([{ two: 2 }]);
  expect(await server.connections('pooled')).toBeLessThanOrEqual(SIZE);
  await pool.close();
  expect(counts.closed).toBe(counts.opened);
  await until(async () => (await server.connections('pooled')) === 0);
});

test('a server that has no more connections to give: those that there are serve all', async () => {
  const server = await Postgres.start(8);
  servers.push(server);
  const { counts, options } = clients(server);
  const pool = new ResourcePool(options);
  const load = new Load(pool, 20);
  await load.more(2000);
  await load.end();
  expect(pool.stats().opens.failed).toBeGreaterThan(0);
  await pool.close();
  expect(counts.closed).toBe(counts.opened);
});

test('a primary that is down for a while: no request is lost, and all come back', async () => {
  const [first, second] = [await start(), await start()];
  const [primary, spare] = [clients(first), clients(second)];
  const pool = new FailoverPool({
    primary: primary.options,
    spare: { ...spare.options, minIdle: 2 },
    probeMs: 50,
  });
  // What is asked when its connection is lost has to be asked again: by whoever knows that it may be.
  const load = new Load(pool, 3);
  for (let i = 0; i < 2; i++) {
    await load.more(500);
    expect(pool.active).toBe('primary');
    await first.stop('immediate');
    await until(async () => pool.active === 'spare');
    await load.more(1000);
    await first.start();
    await until(async () => pool.active === 'primary');
  }
  await load.more(500);
  await load.end();
  expect(load.failed).toEqual(new Map());
  expect(pool.stats()).toMatchObject({ active: 'primary', moves: 2 });
  await pool.close();
  for (const { counts } of [primary, spare]) expect(counts.closed).toBe(counts.opened);
  await until(async () => (await first.connections('pooled')) + (await second.connections('pooled')) === 0);
});
