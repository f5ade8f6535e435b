import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { BufferPool } from 'slabpool';
import { type ServeStatsOptions, serveStats } from 'slabpool/top';
import { expect, onTestFinished, test } from 'vitest';
import { coded } from './backends.js';

async function serve(pools: Iterable<BufferPool>, options?: ServeStatsOptions) {
  const server = await serveStats(pools, options);
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, address: server.address() as AddressInfo };
}

test('serves what stats() says, on the loopback interface', async () => {
  const pool = new BufferPool({ name: 'served' });
  const { address } = await serve([pool]);
  expect(address.address).toBe('127.0.0.1');
  const leases = pool.acquireMany(5000, 3);
  const response = await fetch(`http://127.0.0.1:${address.port}/`);
  expect(response.headers.get('content-type')).toBe('application/json');
  const { ageMs, ...stats } = pool.stats();
  expect(await response.json()).toEqual([{ ...stats, ageMs: expect.any(Number) }]);
  expect(ageMs).toBeGreaterThan(0);
  pool.releaseMany(leases);
  pool.close();
});

test('pools that come and go, and pools that are closed', async () => {
  const pools = new Set<BufferPool>();
  const { address } = await serve(pools, { port: 0 });
  const names = async () => {
    const response = await fetch(`http://127.0.0.1:${address.port}/`);
    return ((await response.json()) as { name: string }[]).map(({ name }) => name);
  };
  expect(await names()).toEqual([]);
  const [a, b] = ['a', 'b'].map((name) => new BufferPool({ name })) as [BufferPool, BufferPool];
  pools.add(a).add(b);
  expect(await names()).toEqual(['a', 'b']);
  a.close();
  expect(await names()).toEqual(['b']);
  b.close();
});

test.each([
  ['POST', '/'],
  ['GET', '/metrics'],
])('%s %s is answered with what was expected', async (method, path) => {
  const { address } = await serve([]);
  const response = await fetch(`http://127.0.0.1:${address.port}${path}`, { method });
  expect(response.status).toBe(404);
  expect(await response.json()).toEqual({ error: expect.stringContaining('GET /') });
});

test('a port that is taken rejects', async () => {
  const { address } = await serve([]);
  await expect(serveStats([], { port: address.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
});

test.each([[undefined], [{}], [[{}]], [new BufferPool()]])('what is no list of pools is refused: %#', async (pools) => {
  await expect(serveStats(pools as Iterable<BufferPool>)).rejects.toThrow(
    coded('ERR_SLABPOOL_INVALID_ARG', /an iterable of pools/),
  );
});

test('a closed server is closed', async () => {
  const { server } = await serve([]);
  server.close();
  await once(server, 'close');
  expect(server.listening).toBe(false);
});
