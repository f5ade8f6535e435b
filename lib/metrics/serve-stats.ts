import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { checkOptions } from '../base/check-options.js';
import { isObservable } from '../base/observable.js';
import { invalidArg, SlabPoolError } from '../errors.js';
import type { AnyPoolStats, ObservablePool } from './observable-pool.js';

export type { AnyPoolStats, ObservablePool } from './observable-pool.js';

/** Options of {@link serveStats}. */
export interface ServeStatsOptions {
  /** TCP port, 0 to 65,535; 0 takes one that is free (`server.address()` tells which). Default: 0. */
  port?: number;
  /** Address to listen at. Default: `'127.0.0.1'`, reached from this machine only; the server asks nobody who it is. */
  host?: string;
}

/**
 * Answers every `GET /` with the stats of the pools as JSON, an array: what `npx slabpool top PORT` shows. Pools that are
 * closed by then are left out.
 *
 * The server keeps no process alive; `server.close()` ends it earlier.
 * @param pools of any kind; walked at each request, so it may be a Set that changes
 * @returns the server, once it listens; rejects as `server.listen()` fails (`EADDRINUSE`)
 * @throws `ERR_SLABPOOL_INVALID_ARG`
 */
export async function serveStats(pools: Iterable<ObservablePool>, options?: ServeStatsOptions): Promise<Server> {
  const { port = 0, host = '127.0.0.1' } = checkOptions('serveStats(pools, options)', options, ['port', 'host']);
  if (typeof pools?.[Symbol.iterator] !== 'function' || [...pools].some((pool) => !isObservable(pool))) {
    throw invalidArg('serveStats(pools)', 'an iterable of pools', pools);
  }
  const server = createServer((request, response) => {
    const found = request.method === 'GET' && request.url === '/';
    const [status, body] = found
      ? [200, [...pools].flatMap(statsOf)]
      : [404, { error: 'expected GET /, which answers with the stats of the pools' }];
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    response.end(JSON.stringify(body));
  });
  // A client that keeps its connection must not keep the service.
  server.on('connection', (socket) => socket.unref());
  server.listen(port, host).unref();
  await once(server, 'listening');
  return server;
}

function statsOf(pool: ObservablePool): AnyPoolStats[] {
  try {
    return [pool.stats()];
  } catch (error) {
    if (error instanceof SlabPoolError && error.code === 'ERR_SLABPOOL_CLOSED') return [];
    throw error;
  }
}
