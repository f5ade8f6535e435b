import { readFileSync } from 'node:fs';
import { validateMetricName } from 'prom-client';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { SAMPLES } from '../dist/cli/samples.js';
import { BUFFER_METRICS, TIER_METRICS } from '../dist/metrics/buffer-metrics.js';
import { ALL_METRICS, metricsOf } from '../dist/metrics/catalogue.js';
import { Collection } from '../dist/metrics/collection.js';
import { type Metric, prometheusName } from '../dist/metrics/metric.js';
import type { AnyPoolStats } from '../dist/metrics/observable-pool.js';
import { BACKENDS, KiB } from './backends.js';

const ALL = ALL_METRICS;

describe('the table of metrics', () => {
  test('docs/metrics.md says the same', () => {
    const TYPES = { counter: 'counter', level: 'up-down counter', mark: 'gauge' };
    const line = (metric: Metric) => {
      const { name, kind, unit, labels, of, help } = metric;
      const label = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`slabpool.${name}\` | \`${prometheusName(metric)}\` | ${TYPES[kind]} | \`${unit}\` | ${label} | ${of} | ${help} |`;
    };
    const docs = readFileSync(new URL('../docs/metrics.md', import.meta.url), 'utf8');
    const rows = docs.split('\n').filter((row) => row.startsWith('| `slabpool.'));
    expect(rows).toEqual(ALL.map(line));
  });

  test('names are unique, and valid in both worlds', () => {
    for (const names of [ALL.map(({ name }) => name), ALL.map(prometheusName)]) {
      expect(new Set(names).size).toBe(ALL.length);
    }
    for (const metric of ALL) {
      expect(metric.name).toMatch(/^[a-z]+(_[a-z]+)*(\.[a-z]+(_[a-z]+)*){0,2}$/);
      expect(validateMetricName(prometheusName(metric))).toBe(true);
      expect(metric.help).toMatch(/\S\.$/);
    }
  });

  test('the number of series is as documented', () => {
    const pool = new BufferPool({ tiers: [4 * KiB, 64 * KiB] });
    const stats = {
      ...pool.stats(),
      pressure: { source: 'system', level: 'high', usedBytes: 7, limitBytes: 9 },
    } as const;
    const count = (metrics: readonly Metric[]) => metrics.reduce((sum, metric) => sum + metric.read(stats).length, 0);
    expect(count(BUFFER_METRICS)).toBe(49);
    expect(count(TIER_METRICS)).toBe(2 * 18);
    pool.close();
    const series = (kind: AnyPoolStats['kind']) => {
      const sample = SAMPLES.find((one) => one.kind === kind) as AnyPoolStats;
      return metricsOf(sample).reduce((sum, metric) => sum + metric.read(sample).length, 0);
    };
    expect([series('object'), series('resource'), series('worker')]).toEqual([19, 37, 16]);
  });

  test('a pressure that nobody has looked at yet has a level, but no limit of 0', () => {
    const pool = new BufferPool();
    const stats = {
      ...pool.stats(),
      pressure: { source: 'none', level: 'none', usedBytes: 0, limitBytes: 0 },
    } as const;
    const read = (name: string) => ALL.find((metric) => metric.name === name)?.read(stats);
    expect(read('pressure.limit')).toEqual([]);
    expect(read('pressure.usage')).toEqual([]);
    expect(read('pressure.level')).toEqual([
      [1, 'none'],
      [0, 'high'],
      [0, 'critical'],
    ]);
    pool.close();
  });

  test('each figure has its place', () => {
    const pool = new BufferPool({ tiers: [4 * KiB] });
    // Each number occurs once, so that no two can be mixed up.
    const stats = distinct(pool.stats());
    const values = (name: string) =>
      ALL.find((metric) => metric.name === name)
        ?.read(stats)
        .map(([value]) => value);
    expect(values('memory.reclaimed')).toEqual(Object.values(stats.drops).slice(0, 4));
    expect(values('acquires')).toEqual(Object.values(stats.hits));
    expect(values('tier.acquires')).toEqual(Object.values(stats.classes[0]!.hits));
    expect(values('wait.time')).toEqual([stats.waits.totalMs / 1000]);
    expect(values('hold.time')).toEqual([stats.holds.totalMs / 1000]);
    const single = {
      'memory.limit': stats.maxBytes,
      'memory.resident': stats.residentBytes,
      'memory.peak': stats.peak.residentBytes,
      'memory.cold': stats.coldBytes,
      'memory.overhead': stats.overheadBytes,
      mapped_blocks: stats.mappedBlocks,
      retired_blocks: stats.drops.retired,
      exhausted: stats.exhausted,
      outstanding_leases: stats.outstanding,
      'wait.requests': stats.waits.total,
      'wait.pending_requests': stats.waits.waiting,
      'wait.peak': stats.peak.waiting,
      'wait.timeouts': stats.waits.timedOut,
      'wait.aborts': stats.waits.aborted,
      'hold.leases': stats.holds.samples,
      tracked_leases: stats.leaks.tracked,
      leaked_leases: stats.leaks.collected,
      'oversize.limit': stats.oversize.maxBytes,
      'oversize.usage': stats.oversize.leasedBytes,
      'oversize.peak': stats.peak.oversizeBytes,
      'oversize.acquires': stats.oversize.acquires,
      'oversize.refused': stats.oversize.refused,
      'tier.peak': stats.classes[0]!.peakResidentBytes,
      'tier.cold': stats.classes[0]!.coldBytes,
      'tier.slabs': stats.classes[0]!.slabs,
      'tier.outstanding_leases': stats.classes[0]!.outstanding,
    };
    for (const [name, value] of Object.entries(single)) expect(values(name), name).toEqual([value]);
    pool.close();
  });
});

/** The same object with another number in each place. */
function distinct<T>(value: T, next = { n: 1 }): T {
  if (typeof value === 'number') return next.n++ as T;
  if (Array.isArray(value)) return value.map((each) => distinct(each, next)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, distinct(each, next)])) as T;
}

describe.each(BACKENDS)('values of a pool on the %s core', (backend) => {
  test('the states add up to what is resident, in total and by tier', () => {
    const pool = new BufferPool({ backend });
    const leases = [...pool.acquireMany(64 * KiB, 9), ...pool.acquireMany(1 * KiB, 70)];
    for (const lease of leases.splice(3, 60)) lease.release();
    const stats = pool.stats();
    const sum = (name: string) =>
      ALL.find((metric) => metric.name === name)
        ?.read(stats)
        .reduce((total, [value]) => total + value, 0);
    expect(stats.residentBytes).toBeGreaterThan(9 * 64 * KiB);
    expect(sum('memory.usage')).toBe(stats.residentBytes);
    expect(sum('tier.usage')).toBe(stats.residentBytes);
    expect(sum('acquires')).toBe(79);
    pool.releaseMany(leases);
    pool.close();
  });
});

describe('a collection', () => {
  test('a counter never steps back', () => {
    let now = 5;
    const metric: Metric = {
      name: 'fake',
      kind: 'counter',
      unit: '{turn}',
      of: 'pool',
      labels: ['step'],
      help: 'Turns.',
      read: () => [
        [now, 'a'],
        [2 * now, 'b'],
      ],
    };
    const level: Metric = { ...metric, name: 'level', kind: 'level' };
    const pool = new BufferPool();
    const collection = new Collection();
    collection.add(pool, [metric, level]);
    const read = (of = metric) =>
      collection
        .read()
        .get(of)
        ?.map(({ value }) => value);
    expect(read()).toEqual([5, 10]);
    now = 3;
    expect(read()).toEqual([5, 10]);
    expect(read(level)).toEqual([3, 6]);
    now = 6;
    expect(read()).toEqual([6, 12]);
    pool.close();
    expect(read()).toBeUndefined();
    expect(collection.size).toBe(0);
  });

  test('keeps no pool alive that was dropped', async () => {
    const collection = new Collection();
    (() => collection.add(new BufferPool(), BUFFER_METRICS))();
    expect(collection.size).toBe(1);
    for (let i = 0; i < 50 && collection.size > 0; i++) {
      await new Promise(setImmediate);
      global.gc?.();
      collection.read();
    }
    expect(collection.size).toBe(0);
  });
});
