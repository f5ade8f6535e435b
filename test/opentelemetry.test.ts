import { metrics as globalMetrics } from '@opentelemetry/api';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';
import { BufferPool } from 'slabpool';
import { observePoolMetrics } from 'slabpool/opentelemetry';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { BACKENDS, coded, KiB, MiB } from './backends.js';
import { Sdk } from './sdk.js';

describe.each(BACKENDS)('a pool on the %s core', (backend) => {
  test('a collection says what stats() says', async () => {
    const sdk = new Sdk();
    const pool = new BufferPool({ name: 'blocks', backend, maxBytes: 8 * MiB, maxOversizeBytes: 3 * MiB });
    observePoolMetrics(pool, { meter: sdk.meter, perTier: true });
    const leases = [...pool.acquireMany(64 * KiB, 9), ...pool.acquireMany(3000, 40), pool.acquire(2 * MiB)];
    for (const lease of leases.splice(0, 6)) lease.release();
    expect(() => pool.acquireMany(MiB, 9)).toThrow(coded('ERR_SLABPOOL_EXHAUSTED'));

    const stats = pool.stats();
    await sdk.collect();
    const sum = (name: string, attributes = {}) => sdk.sum(name, { 'pool.name': 'blocks', ...attributes });
    expect(sum('pools', { backend })).toBe(1);
    expect(sum('memory.limit')).toBe(8 * MiB);
    expect(sum('memory.resident')).toBe(stats.residentBytes);
    expect(sum('memory.usage')).toBe(stats.residentBytes);
    expect(sum('memory.usage', { state: 'leased' })).toBe(stats.leasedBytes);
    expect(sum('memory.peak')).toBe(stats.peak.residentBytes);
    for (const [step, count] of Object.entries(stats.hits)) expect(sum('acquires', { step })).toBe(count);
    expect(sum('outstanding_leases')).toBe(44);
    expect(sum('exhausted')).toBe(1);
    expect(sum('oversize.usage')).toBe(2 * MiB);
    expect(sum('tier.usage')).toBe(stats.residentBytes);
    for (const { capacity, outstanding } of stats.classes) {
      expect(sum('tier.outstanding_leases', { tier: capacity })).toBe(outstanding);
    }
    pool.releaseMany(leases);
    pool.close();
  });

  test('as deltas, they add up to what was done', async () => {
    const sdk = new Sdk(AggregationTemporality.DELTA);
    const pool = new BufferPool({ backend });
    observePoolMetrics(pool, { meter: sdk.meter });
    const seen: number[] = [];
    for (const count of [0, 100, 0, 23]) {
      pool.releaseMany(pool.acquireMany(4 * KiB, count));
      await sdk.collect();
      seen.push(sdk.sum('acquires'));
    }
    expect(seen).toEqual([0, 100, 0, 23]);
    pool.close();
  });
});

test('instruments are of the right kind and unit', async () => {
  const sdk = new Sdk();
  const pool = new BufferPool();
  observePoolMetrics(pool, { meter: sdk.meter });
  await sdk.collect();
  const unit = (name: string) => sdk.metric(name)?.descriptor.unit;
  expect(sdk.metric('acquires')).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: true });
  expect(sdk.metric('memory.usage')).toMatchObject({ dataPointType: DataPointType.SUM, isMonotonic: false });
  expect(sdk.metric('memory.peak')).toMatchObject({ dataPointType: DataPointType.GAUGE });
  expect([unit('acquires'), unit('memory.usage'), unit('wait.time')]).toEqual(['{acquire}', 'By', 's']);
  expect(sdk.names.filter((name) => name.includes('tier'))).toEqual([]);
  pool.close();
});

test('one snapshot for each collection, whatever the number of instruments', async () => {
  const sdk = new Sdk();
  const pool = new BufferPool();
  const snapshots = vi.spyOn(pool, 'stats');
  observePoolMetrics(pool, { meter: sdk.meter, perTier: true });
  snapshots.mockClear();
  await sdk.collect();
  expect(snapshots).toHaveBeenCalledTimes(1);
  pool.close();
});

test('several pools: what ended is 0 from then on, and its counters stay', async () => {
  const sdk = new Sdk();
  const [a, b, c] = ['a', 'b', 'c'].map((name) => new BufferPool({ name })) as [BufferPool, BufferPool, BufferPool];
  const [, stop] = [a, b, c].map((pool) => observePoolMetrics(pool, { meter: sdk.meter }));
  for (const pool of [a, b, c]) pool.acquire(64 * KiB).release();
  const levels = () => ['a', 'b', 'c'].map((name) => sdk.sum('pools', { 'pool.name': name }));
  const resident = (name: string) => sdk.sum('memory.usage', { 'pool.name': name });
  await sdk.collect();
  expect(levels()).toEqual([1, 1, 1]);
  expect(resident('a')).toBeGreaterThan(0);
  a.close();
  stop?.();
  stop?.();
  for (let round = 0; round < 2; round++) {
    await sdk.collect();
    expect(levels()).toEqual([0, 0, 1]);
    expect([resident('a'), resident('b')]).toEqual([0, 0]);
    expect(sdk.sum('memory.peak', { 'pool.name': 'a' })).toBe(0);
    expect(sdk.sum('acquires', { 'pool.name': 'a' })).toBe(1);
    expect(resident('c')).toBe(c.stats().residentBytes);
  }
  // And back again.
  observePoolMetrics(b, { meter: sdk.meter });
  await sdk.collect();
  expect(levels()).toEqual([0, 1, 1]);
  expect(resident('b')).toBe(b.stats().residentBytes);
  for (const pool of [b, c]) pool.close();
});

test('the meter of the global provider', async () => {
  const sdk = new Sdk();
  const pool = new BufferPool();
  // With no provider there is nobody to tell, and nothing wrong.
  observePoolMetrics(pool)();
  expect(globalMetrics.setGlobalMeterProvider(sdk.provider)).toBe(true);
  onTestFinished(() => globalMetrics.disable());
  observePoolMetrics(pool);
  await sdk.collect();
  expect(sdk.sum('memory.limit')).toBe(pool.maxBytes);
  pool.close();
});

describe('misuse', () => {
  test('the same pool twice, and another one of its name', () => {
    const { meter } = new Sdk();
    const [pool, namesake] = [new BufferPool({ name: 'twice' }), new BufferPool({ name: 'twice' })];
    const stop = observePoolMetrics(pool, { meter });
    for (const again of [pool, namesake]) {
      expect(() => observePoolMetrics(again, { meter })).toThrow(
        coded('ERR_SLABPOOL_INVALID_ARG', /^pool 'twice': observePoolMetrics.* is exported to the same place already/),
      );
    }
    // Another meter is another place.
    observePoolMetrics(pool, { meter: new Sdk().meter })();
    stop();
    observePoolMetrics(namesake, { meter })();
    pool.close();
    expect(() => observePoolMetrics(pool, { meter })).toThrow(coded('ERR_SLABPOOL_CLOSED'));
    namesake.close();
  });

  const pool = new BufferPool();
  test.each<[string, unknown, unknown, RegExp]>([
    ['no pool', null, {}, /pool: expected a BufferPool, ObjectPool, ResourcePool or WorkerPool, got null/],
    ['misspelt', pool, { metre: 1 }, /no option 'metre': expected only meter, perTier/],
    ['no boolean', pool, { perTier: 'yes' }, /option 'perTier': expected true or false, got the string "yes"/],
    ['no meter', pool, { meter: {} }, /option 'meter': expected a Meter of @opentelemetry\/api/],
  ])('%s', (_, given, options, message) => {
    expect(() => observePoolMetrics(given as never, options as never)).toThrow(
      coded('ERR_SLABPOOL_INVALID_ARG', message),
    );
  });
});
