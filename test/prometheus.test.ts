import { Gauge, register as globalRegister, Registry } from 'prom-client';
import { BufferPool } from 'slabpool';
import { collectPoolMetrics } from 'slabpool/prometheus';
import { describe, expect, test, vi } from 'vitest';
import { BACKENDS, coded, KiB, MiB } from './backends.js';
import { Scraped } from './scraped.js';

const scrape = async (register: Registry) => new Scraped(await register.metrics());

describe.each(BACKENDS)('a pool on the %s core', (backend) => {
  test('a scrape says what stats() says', async () => {
    const register = new Registry();
    const pool = new BufferPool({ name: 'blocks', backend, maxBytes: 8 * MiB, maxOversizeBytes: 3 * MiB });
    collectPoolMetrics(pool, { register, perTier: true });
    const leases = [...pool.acquireMany(64 * KiB, 9), ...pool.acquireMany(3000, 40), pool.acquire(2 * MiB)];
    for (const lease of leases.splice(0, 6)) lease.release();
    expect(() => pool.acquire(2 * MiB)).toThrow(coded('ERR_SLABPOOL_OVERSIZE'));
    expect(() => pool.acquireMany(MiB, 9)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));

    const stats = pool.stats();
    const scraped = await scrape(register);
    const sum = (name: string, labels = {}) => scraped.sum(`slabpool_${name}`, { pool: 'blocks', ...labels });
    expect(sum('pools', { backend })).toBe(1);
    expect(sum('memory_limit_bytes')).toBe(8 * MiB);
    expect(sum('memory_resident_bytes')).toBe(stats.residentBytes);
    expect(sum('memory_usage_bytes')).toBe(stats.residentBytes);
    expect(sum('memory_usage_bytes', { state: 'leased' })).toBe(stats.leasedBytes);
    expect(sum('memory_cold_bytes')).toBe(stats.coldBytes);
    expect(sum('acquires_total')).toBe(stats.acquires - stats.oversize.acquires);
    for (const [step, count] of Object.entries(stats.hits)) expect(sum('acquires_total', { step })).toBe(count);
    expect(sum('outstanding_leases')).toBe(44);
    expect(sum('exhausted_total')).toBe(1);
    expect(sum('oversize_usage_bytes')).toBe(2 * MiB);
    expect(sum('oversize_refused_total')).toBe(1);
    expect(sum('tier_usage_bytes')).toBe(stats.residentBytes);
    for (const { capacity, outstanding, leasedBytes } of stats.classes) {
      expect(sum('tier_outstanding_leases', { tier: `${capacity}` })).toBe(outstanding);
      expect(sum('tier_usage_bytes', { tier: `${capacity}`, state: 'leased' })).toBe(leasedBytes);
    }
    pool.releaseMany(leases);
    pool.close();
  });

  test('counters count on between scrapes, and none is forgotten or counted twice', async () => {
    const register = new Registry();
    const pool = new BufferPool({ backend, name: 'blocks' });
    collectPoolMetrics(pool, { register });
    let before = (await scrape(register)).counters();
    for (let round = 1; round <= 5; round++) {
      pool.releaseMany(pool.acquireMany(4 * KiB, 100));
      // Two at once, as from two servers.
      const [one, other] = await Promise.all([scrape(register), scrape(register)]);
      expect(one.counters()).toEqual(other.counters());
      expect(one.sum('slabpool_acquires_total')).toBe(100 * round);
      const counters = one.counters();
      expect([...counters.keys()]).toEqual([...before.keys()]);
      for (const [series, value] of counters)
        expect(value, series).toBeGreaterThanOrEqual(before.get(series) as number);
      before = counters;
    }
    pool.close();
  });
});

test('one snapshot for each scrape, whatever the number of metrics', async () => {
  const register = new Registry();
  const pool = new BufferPool();
  const snapshots = vi.spyOn(pool, 'stats');
  collectPoolMetrics(pool, { register, perTier: true });
  snapshots.mockClear();
  await register.metrics();
  expect(snapshots).toHaveBeenCalledTimes(1);
  await register.getMetricsAsJSON();
  expect(snapshots).toHaveBeenCalledTimes(2);
  const single = await register.getSingleMetric('slabpool_memory_limit_bytes')?.get();
  expect(snapshots).toHaveBeenCalledTimes(3);
  expect(single?.values).toEqual([{ value: pool.maxBytes, labels: { pool: pool.name } }]);
  pool.close();
});

test('no tiers unless they are asked for', async () => {
  const register = new Registry();
  const [plain, tiered] = [new BufferPool({ name: 'plain' }), new BufferPool({ name: 'tiered' })];
  collectPoolMetrics(plain, { register });
  expect((await scrape(register)).names.filter((name) => name.includes('tier'))).toEqual([]);
  collectPoolMetrics(tiered, { register, perTier: true });
  const scraped = await scrape(register);
  expect(scraped.series('slabpool_tier_slabs', { pool: 'tiered' })).toHaveLength(tiered.tiers.length);
  expect(scraped.series('slabpool_tier_slabs', { pool: 'plain' })).toEqual([]);
  expect(scraped.series('slabpool_pools')).toHaveLength(2);
  for (const pool of [plain, tiered]) pool.close();
});

test('several pools: a closed one leaves, the others stay, and the last one takes the metrics along', async () => {
  const register = new Registry();
  const other = new Gauge({ name: 'other', help: 'Not ours.', registers: [register] });
  const pools = ['a', 'b', 'c'].map((name) => new BufferPool({ name }));
  const stops = pools.map((pool) => collectPoolMetrics(pool, { register }));
  const [a, b, c] = pools as [BufferPool, BufferPool, BufferPool];
  using lease = b.acquire(64 * KiB);
  expect(lease.capacity).toBe(64 * KiB);
  const names = async () => (await scrape(register)).series('slabpool_pools').map(({ labels: { pool } }) => pool);
  expect(await names()).toEqual(['a', 'b', 'c']);
  expect((await scrape(register)).sum('slabpool_memory_usage_bytes', { pool: 'b', state: 'leased' })).toBe(64 * KiB);
  a.close();
  expect(await names()).toEqual(['b', 'c']);
  stops[1]?.();
  stops[1]?.();
  expect(await names()).toEqual(['c']);
  c.close();
  expect((await scrape(register)).sum('slabpool_pools')).toBeNaN();
  expect(register.getMetricsAsArray()).toEqual([other]);
  // Stopping what has gone by itself does no harm, not even to a successor of the same name.
  const next = new BufferPool({ name: 'c' });
  collectPoolMetrics(next, { register });
  stops[2]?.();
  expect(await names()).toEqual(['c']);
  next.close();
});

test("a pool of a closed one's name starts again from 0", async () => {
  const register = new Registry();
  const first = new BufferPool({ name: 'again' });
  collectPoolMetrics(first, { register });
  first.acquire(1).release();
  expect((await scrape(register)).sum('slabpool_acquires_total')).toBe(1);
  first.close();
  const second = new BufferPool({ name: 'again' });
  collectPoolMetrics(second, { register });
  expect((await scrape(register)).sum('slabpool_acquires_total')).toBe(0);
  second.close();
});

test('the global registry, and a prefix', async () => {
  const pool = new BufferPool();
  const stop = collectPoolMetrics(pool);
  const stopOther = collectPoolMetrics(pool, { prefix: 'app_' });
  const scraped = await scrape(globalRegister);
  expect(scraped.sum('slabpool_memory_limit_bytes')).toBe(pool.maxBytes);
  expect(scraped.sum('app_slabpool_memory_limit_bytes')).toBe(pool.maxBytes);
  stop();
  stopOther();
  expect(globalRegister.getMetricsAsArray()).toEqual([]);
  pool.close();
});

test('in the OpenMetrics format, again and again, and after the registry was cleared', async () => {
  const register = new Registry();
  const pools = [new BufferPool(), new BufferPool()] as const;
  register.setContentType(Registry.OPENMETRICS_CONTENT_TYPE as never);
  collectPoolMetrics(pools[0], { register });
  const families = async () => (await register.metrics()).match(/^# TYPE .*$/gm) ?? [];
  const first = await families();
  expect(first).toContain('# TYPE slabpool_acquires counter');
  expect(await register.metrics()).toMatch(/^slabpool_acquires_total\{pool="[^"]+",step="depot"\} 0$/m);
  // prom-client has renamed its counters meanwhile.
  const stop = collectPoolMetrics(pools[1], { register });
  expect(await families()).toEqual(first);
  stop();
  register.clear();
  const stopAgain = collectPoolMetrics(pools[1], { register });
  expect(await families()).toEqual(first);
  pools[0].close();
  stopAgain();
  expect(register.getMetricsAsArray()).toEqual([]);
  pools[1].close();
});

test('a pool name of quotes, backslashes and newlines', async () => {
  const register = new Registry();
  const name = 'a "b" \\ c\n{d="e"}';
  const pool = new BufferPool({ name });
  collectPoolMetrics(pool, { register });
  expect(await register.metrics()).toContain(
    String.raw`slabpool_memory_limit_bytes{pool="a \"b\" \\ c\n{d=\"e\"}"} 268435456`,
  );
  pool.close();
});

describe('misuse', () => {
  const register = new Registry();
  const pool = new BufferPool({ name: 'twice' });

  test('the same pool twice, another one of its name, another metric of a name', async () => {
    const stop = collectPoolMetrics(pool, { register });
    const exported =
      /^pool 'twice': collectPoolMetrics\(pool, options\): a pool of this name is exported to the same place/;
    expect(() => collectPoolMetrics(pool, { register })).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', exported));
    const namesake = new BufferPool({ name: 'twice' });
    expect(() => collectPoolMetrics(namesake, { register })).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', exported));
    stop();
    collectPoolMetrics(namesake, { register })();

    new Gauge({ name: 'slabpool_threads', help: 'Taken.', registers: [register] });
    const taken = /the registry has another metric of the name slabpool_threads\. Give a prefix/;
    expect(() => collectPoolMetrics(pool, { register })).toThrow(coded('ERR_SLABPOOL_INVALID_ARG', taken));
    expect(register.getMetricsAsArray()).toHaveLength(1);
    register.clear();
    namesake.close();
  });

  test.each<[string, unknown, unknown, RegExp]>([
    [
      'no pool',
      {},
      {},
      /pool: expected a BufferPool, ObjectPool, ResourcePool or WorkerPool, got an object of class Object/,
    ],
    ['misspelt', pool, { pertier: true }, /no option 'pertier': expected only register, prefix, perTier/],
    ['null options', pool, null, /options\): expected an object .*, got null/],
    ['no boolean', pool, { perTier: 1 }, /option 'perTier': expected true or false, got 1/],
    ['no registry', pool, { register: {} }, /option 'register': expected a Registry of prom-client/],
    ['bad prefix', pool, { prefix: '1-' }, /option 'prefix': expected letters, .*, got the string "1-"/],
  ])('%s', (_, given, options, message) => {
    expect(() => collectPoolMetrics(given as never, options as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', message),
    );
    expect(globalRegister.getMetricsAsArray()).toEqual([]);
  });

  test('a closed pool', () => {
    pool.close();
    expect(() => collectPoolMetrics(pool, { register })).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    expect(register.getMetricsAsArray()).toEqual([]);
  });
});
