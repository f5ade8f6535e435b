// ResourcePool and pg-pool before a real PostgreSQL on loopback: their rates, and bad days.
import { register } from 'node:module';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { median } from 'simple-statistics';
import { FailoverPool, ResourcePool } from 'slabpool/resource';
import { compared } from '../measure.js';

register('./typescript.js', import.meta.url);
/** @type {typeof import('../../test/servers/postgres.js')} */
const { Postgres } = await import('../../test/servers/postgres.js');

const SIZE = 10;
const CLIENTS = 32;
const QUESTION = 'SELECT 1 AS one';

/** @typedef {import('../../test/servers/postgres.js').Postgres} Server */

/** @param {Server} server */
function options(server) {
  return {
    async open() {
      const client = new pg.Client({ ...server.config, application_name: 'pooled' });
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    close: (/** @type {pg.Client} */ client) => client.end(),
    check: (/** @type {pg.Client} */ client) => client.query(''),
    maxSize: SIZE,
  };
}

/** @param {{ borrow: ResourcePool<pg.Client>['borrow'] }} pool */
const ask = (pool) =>
  pool.borrow(async (lease) => {
    try {
      return await lease.value.query(QUESTION);
    } catch (error) {
      lease.destroy(error);
      throw error;
    }
  });

/**
 * Clients that ask one question after the other. @param {() => Promise<unknown>} question @param {() => boolean} over
 * @param {(since: number, failure: unknown) => unknown} asked once for each
 */
function clients(question, over, asked) {
  return Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      while (!over()) {
        const since = performance.now();
        try {
          await question();
          asked(since, undefined);
        } catch (error) {
          asked(since, error);
          // Who is refused at once is not to use up the time of all others.
          await setTimeout(5);
        }
      }
    }),
  );
}

/** @param {number[]} values */
const p99 = (values) => /** @type {number} */ ([...values].sort((a, b) => a - b)[Math.floor(values.length * 0.99)]);

/**
 * Rates side by side, by turns. @param {number} rounds @param {number} ms of a round
 */
export async function rates(rounds, ms) {
  const server = await Postgres.start();
  const ours = new ResourcePool(options(server));
  const theirs = new pg.Pool({ ...server.config, max: SIZE, connectionTimeoutMillis: 30_000 });
  const ways = [
    {
      name: 'slabpool, acquire() and release()',
      async question() {
        const lease = await ours.acquire();
        try {
          await lease.value.query(QUESTION);
        } finally {
          lease.release();
        }
      },
    },
    { name: 'slabpool, borrow()', question: () => ours.borrow(({ value }) => value.query(QUESTION)) },
    { name: 'pg-pool, query()', question: () => theirs.query(QUESTION) },
    {
      name: 'pg-pool, connect() and release()',
      async question() {
        const client = await theirs.connect();
        try {
          await client.query(QUESTION);
        } finally {
          client.release();
        }
      },
    },
  ];
  /** @type {number[][]} */
  const times = ways.map(() => []);
  /** @type {number[][]} */
  const tails = ways.map(() => []);
  // The first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const i = (turn + round) % ways.length;
      /** @type {number[]} */
      const latencies = [];
      const started = performance.now();
      const over = () => performance.now() - started > ms;
      await clients(/** @type {typeof ways[0]} */ (ways[i]).question, over, (since, failure) => {
        if (failure !== undefined) throw failure;
        latencies.push(performance.now() - since);
      });
      if (round === 0) continue;
      /** @type {number[]} */ (times[i]).push(((performance.now() - started) * 1e6) / latencies.length);
      /** @type {number[]} */ (tails[i]).push(p99(latencies));
    }
  }
  await Promise.all([ours.close(), theirs.end()]);
  await server[Symbol.asyncDispose]();
  // Both by hand: what query() does is not a pool's.
  const [own, others] = /** @type {[number[], number[]]} */ ([tails[0], tails.at(-1)]);
  return {
    results: ways.map(({ name }, i) =>
      compared(name, /** @type {number[]} */ (times[i]), /** @type {number[]} */ (times[0])),
    ),
    p99: median(others.map((tail, round) => tail / /** @type {number} */ (own[round]))),
  };
}

/** Answers a second, counted in steps of this many milliseconds. */
const STEP_MS = 100;

/** The server is killed under load, and comes again after so many milliseconds. @param {number} outageMs */
export async function restart(outageMs) {
  const server = await Postgres.start();
  const pool = new ResourcePool({
    ...options(server),
    openRetries: 0,
    breaker: { coolDownMs: 100 },
    acquireTimeoutMs: 5000,
  });
  let over = false;
  let longest = 0;
  /** @type {Map<number, number>} */
  const answers = new Map();
  const load = clients(
    () => ask(pool),
    () => over,
    (since, failure) => {
      const at = performance.now();
      longest = Math.max(longest, at - since);
      const step = Math.floor(at / STEP_MS);
      if (failure === undefined) answers.set(step, (answers.get(step) ?? 0) + 1);
    },
  );
  await setTimeout(2000);
  const killedAt = performance.now();
  await server.stop('immediate');
  await setTimeout(outageMs);
  await server.start();
  const backAt = performance.now();
  await setTimeout(2500);
  over = true;
  await load;
  const seen = await server.connections('pooled');
  const usual = median(Array.from({ length: 10 }, (_, i) => answers.get(Math.floor(killedAt / STEP_MS) - 2 - i) ?? 0));
  const back = Math.floor(backAt / STEP_MS);
  let steps = 0;
  while (steps < 25 && (answers.get(back + steps) ?? 0) < 0.9 * usual) steps++;
  await pool.close();
  // A backend ends a moment after its client.
  for (let i = 0; i < 100 && (await server.connections('pooled')) > 0; i++) await setTimeout(10);
  const leaked = await server.connections('pooled');
  await server[Symbol.asyncDispose]();
  return {
    'PostgreSQL killed and back: ms until 90 % of the rate': steps * STEP_MS,
    'PostgreSQL killed and back: longest request, ms': longest,
    'PostgreSQL killed and back: connections beyond maxSize': Math.max(0, seen - SIZE),
    'PostgreSQL killed and back: connections left after close()': leaked,
  };
}

/** The primary is down for so many milliseconds. @param {number} outageMs */
export async function failover(outageMs) {
  const [first, second] = [await Postgres.start(), await Postgres.start()];
  const pool = new FailoverPool({ primary: options(first), spare: { ...options(second), minIdle: 2 } });
  let over = false;
  let lost = 0;
  let answered = 0;
  /** What is asked when its connection breaks has to be asked again by whoever knows that it may be. */
  const question = async () => {
    for (let tries = 3; ; tries--) {
      try {
        return await ask(pool);
      } catch (error) {
        if (tries === 1) throw error;
      }
    }
  };
  const load = clients(
    question,
    () => over,
    (_, failure) => {
      if (failure === undefined) answered++;
      else lost++;
    },
  );
  await setTimeout(1000);
  const stopped = performance.now();
  const stopping = first.stop('immediate');
  const moved = await until(() => pool.active === 'spare');
  await stopping;
  await setTimeout(outageMs);
  await first.start();
  const started = performance.now();
  const back = await until(() => pool.active === 'primary');
  await setTimeout(500);
  over = true;
  await load;
  await pool.close();
  for (const server of [first, second]) await server[Symbol.asyncDispose]();
  return {
    'an outage: s': outageMs / 1000,
    'an outage: requests': answered,
    'an outage: requests lost': lost,
    'an outage: ms until all move to the spare': moved - stopped,
    'an outage: ms until all are back': back - started,
  };
}

/** @param {() => boolean} holds @returns {Promise<number>} when it did */
async function until(holds) {
  for (let i = 0; i < 10_000 && !holds(); i++) await setTimeout(1);
  return performance.now();
}
