import { parseArgs } from 'node:util';
import { BufferPool } from 'slabpool';
import { runClient } from './client.js';
import { explain, Failure } from './errors.js';
import { startService } from './server.js';
import { openPool } from './shares.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const HELP = `node examples/tcp-service/main.js [--serve] [options]

Starts a server whose connections are parsed by worker threads, runs clients against it that check every reply, shuts it
down, and fails if a reply was wrong or a block of the pool was not given back.

  --connections N   clients at once (default 8)
  --records N       records that each of them sends (default 60000)
  --workers N       threads that parse (default 2)
  --budget KIB      of the pool that all these threads share (default 16384)
  --max-record KIB  the longest record (default 64)
  --serve           no clients: serve until SIGINT or SIGTERM
  --port N          of the server (default: one that is free)
  --stall MS        how long a client may leave replies unread (default 30000)
  --grace MS        how long a shutdown waits for clients to finish (default 5000)`;

const COUNTS = /** @type {const} */ ({
  connections: ['8', 1, 1024],
  records: ['60000', 1, 10_000_000],
  workers: ['2', 1, 32],
  budget: ['16384', 4, 2 ** 30],
  'max-record': ['64', 1, 65_536],
  port: ['0', 0, 65_535],
  stall: ['30000', 1, 3_600_000],
  grace: ['5000', 0, 3_600_000],
});

/** @typedef {{ [name in keyof typeof COUNTS]: number }} Counts */

function readArguments() {
  const texts = Object.entries(COUNTS).map(([name, [byDefault]]) => [name, { type: 'string', default: byDefault }]);
  try {
    const { values } = parseArgs({
      options: {
        .../** @type {Record<keyof typeof COUNTS, { type: 'string', default: string }>} */ (Object.fromEntries(texts)),
        serve: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const counts = /** @type {(keyof typeof COUNTS)[]} */ (Object.keys(COUNTS)).map((name) => {
      const [, min, max] = COUNTS[name];
      return [name, whole(name, values[name], min, max)];
    });
    return { serve: values.serve, help: values.help, .../** @type {Counts} */ (Object.fromEntries(counts)) };
  } catch (error) {
    throw new Failure(`${/** @type {Error} */ (error).message}\nSee --help`);
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} min
 * @param {number} max
 */
function whole(name, text, min, max) {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`--${name}: expected a whole number from ${min} to ${max}, got ${JSON.stringify(text)}`);
}

/**
 * @param {BufferPool} pool
 * @returns {string} what is not as it has to be when everything was given back
 */
function left(pool) {
  const { leasedBytes, inFlightBytes } = pool.stats();
  const figures = { 'leases out': pool.outstanding(), 'bytes leased': leasedBytes, 'bytes in flight': inFlightBytes };
  return Object.entries(figures)
    .filter(([, count]) => count !== 0)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ');
}

/** @param {BufferPool} pool */
function poolLine(pool) {
  const { name, hitRate, residentBytes, maxBytes, exhausted } = pool.stats();
  const resident = `${(residentBytes / MIB).toFixed(1)} of ${(maxBytes / MIB).toFixed(1)} MiB resident`;
  return `pool ${name}: hit rate ${(hitRate * 100).toFixed(2)} %, ${resident}, refused ${exhausted} times, `;
}

/**
 * @param {number} port
 * @param {Counts} counts
 */
async function runClients(port, { connections, records }) {
  const pool = new BufferPool({ name: 'clients', maxBytes: 64 * MIB });
  const started = performance.now();
  const results = await Promise.allSettled(
    Array.from({ length: connections }, (_, i) => runClient(pool, { port, seed: i + 1, records })),
  );
  const seconds = (performance.now() - started) / 1000;
  console.log(`${poolLine(pool)}${left(pool) || 'nothing out'}`);
  const problem = left(pool);
  pool.close();
  let sent = 0;
  let received = 0;
  for (const result of results) {
    if (result.status === 'rejected') throw result.reason;
    sent += result.value.sent;
    received += result.value.received;
  }
  if (problem) throw new Failure(`the clients' pool still has ${problem}`);
  const rate = Math.round((connections * records) / seconds);
  console.log(
    `${connections} connections: ${connections * records} records, ${(sent / 1e6).toFixed(1)} MB sent, ` +
      `${(received / 1e6).toFixed(1)} MB of replies, all as expected; ${seconds.toFixed(2)} s, ${rate} records/s`,
  );
}

/** @param {Awaited<ReturnType<typeof startService>>} service */
function runUntilSignal(service) {
  // The first signal asks for an end, the second for a quick one.
  const hurry = new AbortController();
  const asked = new Promise((/** @type {(value: void) => void} */ resolve) => {
    let times = 0;
    for (const name of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
      process.on(name, () => {
        if (++times > 1) hurry.abort();
        else console.log(`${name}: shutting down, ${service.connections} connections open`);
        resolve();
      });
    }
  });
  return { asked, hurry: hurry.signal };
}

async function main() {
  const { serve, help, ...counts } = readArguments();
  if (help) {
    console.log(HELP);
    return;
  }
  const pool = openPool(counts.budget * KIB);
  const service = await startService(pool, {
    workers: counts.workers,
    port: counts.port,
    maxRecord: counts['max-record'] * KIB,
    stallMs: counts.stall,
  });
  console.log(`listening on 127.0.0.1:${service.port}, ${counts.workers} workers`);
  const { asked, hurry } = runUntilSignal(service);

  const clients = serve ? asked : runClients(service.port, counts);
  await Promise.race([clients.catch(() => {}), asked, service.failed]);
  const tally = await service.close(counts.grace, hurry);
  console.log(
    `served ${tally.connections} connections, ${tally.records} records; refused ${tally.refused}; ` +
      `stopped reading ${tally.pauses} times; waited for a block ${tally.waits} times`,
  );
  const out = left(pool);
  console.log(`${poolLine(pool)}${out || 'nothing out'}`);
  pool.close();
  if (out) throw new Failure(`the service has shut down, but its pool still has ${out}`);
  await clients;
  const expected = counts.connections * counts.records;
  if (!serve && tally.records !== expected) {
    throw new Failure(`the clients sent ${expected} records, the workers answered ${tally.records}`);
  }
}

try {
  await main();
} catch (error) {
  console.error(`tcp-service: ${explain(error)}`);
  process.exitCode = 1;
}
