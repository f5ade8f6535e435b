// What worker threads have out is in the figures of the thread that exports them.
import { Registry } from 'prom-client';
import { BufferPool } from 'slabpool';
import { observePoolMetrics } from 'slabpool/opentelemetry';
import { collectPoolMetrics } from 'slabpool/prometheus';
import { afterEach, expect, test } from 'vitest';
import { KiB } from './backends.js';
import { Member, terminateAll } from './member.js';
import { Scraped } from './scraped.js';
import { Sdk } from './sdk.js';

afterEach(terminateAll);

test('by OpenTelemetry', async () => {
  const sdk = new Sdk();
  const pool = new BufferPool({ tiers: [64 * KiB] });
  observePoolMetrics(pool, { meter: sdk.meter });
  const member = await Member.start(pool);
  await member.call('acquire', 64 * KiB, 1);
  const stats = pool.stats();
  await sdk.collect();
  expect(stats.residentBytes).toBeGreaterThanOrEqual(64 * KiB);
  expect(sdk.sum('memory.usage')).toBe(stats.residentBytes);
  expect(sdk.sum('threads')).toBe(stats.threads.length);
  await terminateAll();
  pool.close();
});

test('by Prometheus, with what they did', async () => {
  const register = new Registry();
  const pool = new BufferPool({ name: 'shared', tiers: [64 * KiB] });
  collectPoolMetrics(pool, { register });
  const members = await Promise.all([Member.start(pool), Member.start(pool)]);
  for (const member of members) await member.call('acquire', 64 * KiB, 1);
  const stats = pool.stats();
  const scraped = new Scraped(await register.metrics());
  expect(stats.residentBytes).toBeGreaterThanOrEqual(2 * 64 * KiB);
  expect(scraped.sum('slabpool_memory_resident_bytes')).toBe(stats.residentBytes);
  expect(scraped.sum('slabpool_memory_usage_bytes')).toBe(stats.residentBytes);
  expect(scraped.sum('slabpool_memory_usage_bytes', { state: 'leased' })).toBe(stats.leasedBytes);
  expect(scraped.sum('slabpool_threads')).toBe(stats.threads.length);
  const before = scraped.counters();
  await terminateAll();
  const after = new Scraped(await register.metrics()).counters();
  for (const [series, value] of before) expect(after.get(series), series).toBeGreaterThanOrEqual(value);
  pool.close();
});
