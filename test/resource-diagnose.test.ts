import { AsyncLocalStorage } from 'node:async_hooks';
import { ResourcePool, type ResourcePoolStats } from 'slabpool/resource';
import { expect, test } from 'vitest';
import { diagnoseResources } from '../dist/diagnose/resources.js';
import { Upstream } from './resources.js';

/** Of a pool that is healthy, but for what is given. */
function sample(given: Partial<ResourcePoolStats> = {}): ResourcePoolStats {
  return {
    ...{ kind: 'resource', name: 'sample', ageMs: 120_000, maxSize: 10, minIdle: 0 },
    ...{ size: 6, opening: 0, checking: 0, idle: 5, used: 1, closing: 0, peak: { used: 6, waiting: 2 } },
    ...{ acquires: 60_000, uses: { count: 59_999, totalMs: 600_000 } },
    waits: { total: 6, waiting: 0, timedOut: 0, aborted: 0, totalMs: 60 },
    refused: { exhausted: 0, queueFull: 0, circuitOpen: 0, openFailed: 0 },
    ...{ opened: 6, opens: { failed: 0, late: 0, totalMs: 60 }, checks: 10 },
    closed: { lifetime: 0, idle: 0, check: 0, destroyed: 0, leaked: 0, trimmed: 0, closed: 0 },
    ...{ closeFailed: 0, circuit: { state: 'closed', trips: 0 }, holds: { samples: 10, totalMs: 100 } },
    leaks: { detection: 'sampled', sampleRate: 4096, tracked: 0, collected: 0 },
    ...given,
  } satisfies ResourcePoolStats;
}

const found = (given: Partial<ResourcePoolStats>) =>
  diagnoseResources(sample(given)).findings.filter(({ id, severity }) => !(id === 'reuse' && severity === 'ok'));
const full = { used: 10, waiting: 20 };
const waits = { ...sample().waits, total: 5000, totalMs: 50_000 };
const closed = (given: Partial<ResourcePoolStats['closed']>) => ({ closed: { ...sample().closed, ...given } });

test('a healthy pool: one finding, that it is', () => {
  expect(String(diagnoseResources(sample()))).toBe(
    "pool 'sample': ok\n  ok      reuse: 60,000 acquires of 6 resources: 10,000 uses of each",
  );
});

test.each<[string, Partial<ResourcePoolStats>, string, string, RegExp]>([
  ['few acquires', { acquires: 999 }, 'note', 'too-few-acquires', /999 acquires so far, below 1,000/],
  ['resources that are hardly used again', { opened: 30_000 }, 'debt', 'reuse', /60,000 acquires of 30,000 resources/],
  [
    'waits while all are used, which its rate does not explain',
    { peak: full, waits },
    'note',
    'size-too-small',
    /all 10 resources were in use: 5,000 requests waited, 10 ms on the average; 0 were refused/,
  ],
  [
    'requests that gave up',
    { peak: full, waits: { ...waits, timedOut: 1 } },
    'warning',
    'size-too-small',
    /1 were refused/,
  ],
  [
    'requests that were refused',
    { peak: full, waits, refused: { ...sample().refused, exhausted: 7 } },
    'warning',
    'size-too-small',
    /7 were refused/,
  ],
  ['most of it never used', { maxSize: 100 }, 'note', 'size-too-large', /of 100 resources at most 6 were used at once/],
  [
    'a circuit that is open',
    { circuit: { state: 'open', trips: 1 }, refused: { ...sample().refused, circuitOpen: 12 } },
    'warning',
    'circuit',
    /the circuit is open.* 12 requests were refused/,
  ],
  [
    'openings that fail',
    { opens: { failed: 2, late: 1, totalMs: 60 } },
    'warning',
    'open-failed',
    /2 calls of open failed, 25 % of them all; .* 1 resources came too late/,
  ],
  [
    'some that were lost while idle',
    { checks: 1000, ...closed({ check: 3 }) },
    'note',
    'broken',
    /3 idle resources did not/,
  ],
  ['many that were', closed({ check: 3 }), 'warning', 'broken', /3 idle resources did not pass/],
  ['leases that were lost', closed({ leaked: 3 }), 'warning', 'collected', /3 leases were garbage-collected/],
  ['a close that failed', { closeFailed: 1, ...closed({ idle: 4 }) }, 'note', 'close-failed', /1 of 4 calls of close/],
])('%s', (_, given, severity, id, text) => {
  expect(found(given)).toMatchObject([{ id, severity, text: expect.stringMatching(text) }]);
});

test.each([
  ['more', 1_200_000, /comes to 10 in use on the average: raise maxSize to 15/],
  ['less', 600_000, /which is less: the load comes in bursts/],
])("the size that Little's law asks for: %s", (_, totalMs, advice) => {
  const uses = { count: 60_000, totalMs };
  expect(found({ peak: full, waits, uses })).toMatchObject([{ advice: expect.stringMatching(advice) }]);
});

test('of a pool that is used: its figures are finite, also when nothing has happened yet', async () => {
  const pool = new Upstream().pool({ name: 'fresh' });
  const check = () => {
    for (const { figures } of pool.diagnose().findings) {
      for (const figure of Object.values(figures)) expect(Number.isFinite(figure)).toBe(true);
    }
  };
  check();
  for (let i = 0; i < 2000; i++) (await pool.acquire()).release();
  check();
  expect(String(pool.diagnose())).toMatch(/^pool 'fresh': ok\n {2}ok {6}reuse: 2,000 acquires of 1 resources/);
  await pool.close();
});

test('what is opened, checked and closed keeps nothing of whose request that was', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const see = () => {
    seen.push(storage.getStore());
    return {};
  };
  const pool = new ResourcePool({ open: see, check: see, close: see, checkAfterIdleMs: 0 });
  await storage.run('mine', async () => {
    (await pool.acquire()).release();
    const lease = await pool.acquire();
    expect(storage.getStore()).toBe('mine');
    lease.destroy();
  });
  await pool.close();
  expect(seen).toEqual([undefined, undefined, undefined]);
});
