import { parseArgs } from 'node:util';
import { BufferPool } from 'slabpool';
import { startService } from './service.js';

const KIB = 1024;

const HELP = `node examples/metrics/main.js [options]

Compresses what is posted to /gzip in blocks of a pool, and tells of it at /metrics, until SIGINT or SIGTERM.

  --port N        (default 9464; 0: one that is free)
  --budget KIB    of the pool (default 16384)
  --max-body KIB  the longest body (default 1024)
  --grace MS      how long a shutdown waits for requests to finish (default 5000)`;

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9464' },
    budget: { type: 'string', default: '16384' },
    'max-body': { type: 'string', default: '1024' },
    grace: { type: 'string', default: '5000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) console.log(HELP);
else await serve();

async function serve() {
  // Bodies above the largest tier are received as well, as oversize leases.
  const pool = new BufferPool({ name: 'bodies', maxBytes: Number(values.budget) * KIB });
  const service = await startService(pool, { port: Number(values.port), maxBody: Number(values['max-body']) * KIB });
  console.log(`listening on 127.0.0.1:${service.port}`);
  const signal = await new Promise((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM']) process.once(name, resolve);
  });
  console.log(`${signal}: shutting down`);
  await service.close(Number(values.grace));
  const { acquires, hitRate } = pool.stats();
  pool.assertNoLeaks();
  pool.close();
  console.log(`${acquires} leases, hit rate ${(hitRate * 100).toFixed(2)} %, nothing out`);
}
