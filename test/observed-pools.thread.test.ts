import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from 'prom-client';
import { BufferPool } from 'slabpool';
import { ObjectPool } from 'slabpool/object';
import { collectPoolMetrics } from 'slabpool/prometheus';
import { ResourcePool } from 'slabpool/resource';
import { serveStats } from 'slabpool/top';
import { WorkerPool } from 'slabpool/worker';
import { expect, onTestFinished, test } from 'vitest';
import { SAMPLES } from '../dist/cli/samples.js';
import { render } from '../dist/cli/screen.js';
import { sourceOf } from '../dist/cli/snapshot.js';
import { loadTableWriter } from '../dist/cli/table.js';
import { fixture } from './child.js';
import { Scraped } from './scraped.js';
import { Sdk } from './sdk.js';

/** A pool of each kind, each with something to say. */
async function pools() {
  const objects = new ObjectPool({ name: 'objects', create: () => ({}) });
  const resources = new ResourcePool({ name: 'resources', open: async () => ({}), close() {} });
  const buffers = new BufferPool({ name: 'buffers' });
  const workers = new WorkerPool({
    name: 'workers',
    pool: buffers,
    filename: fixture('workers/jobs.mjs'),
    minThreads: 0,
  });
  objects.acquire().release();
  (await resources.acquire()).release();
  onTestFinished(async () => {
    objects.close();
    await resources.close();
    await workers.close();
    buffers.close();
  });
  return { objects, resources, workers, buffers };
}

test('all kinds of pools go to one registry, one meter and one server', async () => {
  const all = await pools();
  const register = new Registry();
  const sdk = new Sdk();
  const { observePoolMetrics } = await import('slabpool/opentelemetry');
  for (const pool of Object.values(all)) {
    collectPoolMetrics(pool, { register });
    observePoolMetrics(pool, { meter: sdk.meter });
  }
  const scraped = new Scraped(await register.metrics());
  expect(scraped.sum('slabpool_object_acquires_total', { pool: 'objects', step: 'create' })).toBe(1);
  expect(scraped.sum('slabpool_object_idle', { pool: 'objects' })).toBe(1);
  expect(scraped.sum('slabpool_resource_count', { pool: 'resources' })).toBe(1);
  expect(scraped.sum('slabpool_resource_count', { pool: 'resources', state: 'idle' })).toBe(1);
  expect(scraped.sum('slabpool_resource_opened_total', { pool: 'resources' })).toBe(1);
  expect(scraped.sum('slabpool_worker_jobs', { pool: 'workers' })).toBe(0);
  expect(scraped.sum('slabpool_pools', { pool: 'buffers' })).toBe(1);
  await sdk.collect();
  expect(sdk.sum('resource.count', { 'pool.name': 'resources', state: 'idle' })).toBe(1);
  expect(sdk.sum('object.created', { 'pool.name': 'objects' })).toBe(1);

  const server = await serveStats(Object.values(all));
  onTestFinished(() => void server.close());
  const { port } = server.address() as { port: number };
  const response = await fetch(`http://127.0.0.1:${port}/`);
  const kinds = ((await response.json()) as { kind: string }[]).map(({ kind }) => kind);
  expect(kinds).toEqual(['object', 'resource', 'worker', 'buffer']);
});

test('what is closed is exported no more', async () => {
  const register = new Registry();
  const objects = new ObjectPool({ name: 'objects', create: () => ({}) });
  const resources = new ResourcePool({ name: 'resources', open: async () => ({}), close() {} });
  for (const pool of [objects, resources]) collectPoolMetrics(pool, { register });
  objects.close();
  await resources.close();
  expect(new Scraped(await register.metrics()).series('slabpool_object_idle')).toEqual([]);
  expect(new Scraped(await register.metrics()).names).toEqual([]);
});

test('top shows each kind, from its stats alone', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-kinds-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { objects, resources, workers, buffers } = await pools();
  const file = join(folder, 'stats.json');
  writeFileSync(file, JSON.stringify([objects, resources, workers, buffers].map((pool) => pool.stats())));
  const text = render(await sourceOf(file).read(new AbortController().signal), [], await loadTableWriter());
  expect(text).toMatch(/^objects {2}object pool, .* old: \w+\n\[#?\.+\] 1 of [\d,]+ idle/m);
  expect(text).toMatch(/^resources {2}resource pool, .*\n\[\.+\] 0 of 10 used, most 1\nidle 1 /m);
  expect(text).toMatch(/^workers {2}worker pool, .* old: note\n\[\.+\] 0 jobs on 0 of at most \d+ threads/m);
  expect(text).toMatch(/^buffers {2}native, /m);
  expect(text).not.toMatch(/NaN|undefined/);
});

test.each(SAMPLES)(
  'stats of a pool of kind $kind that lack something are refused, and nothing that is there is',
  async (sample) => {
    const folder = mkdtempSync(join(tmpdir(), 'slabpool-kinds-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const read = (stats: object) => {
      const file = join(folder, 'stats.json');
      writeFileSync(file, JSON.stringify(stats));
      return sourceOf(file).read(new AbortController().signal);
    };
    expect(await read(sample)).toEqual([sample]);
    const { ageMs: _, ...lacking } = sample;
    await expect(read(lacking)).rejects.toThrow('pool 0.ageMs is no number');
  },
);

test('samples have every field that stats have', async () => {
  const all = await pools();
  const fields = (value: unknown): unknown =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? typeof value
      : Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fields(part)]));
  for (const pool of Object.values(all)) {
    const stats = pool.stats();
    expect(fields(SAMPLES.find(({ kind }) => kind === stats.kind))).toEqual(fields(stats));
  }
});
