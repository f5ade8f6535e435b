import { once } from 'node:events';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { Counter, Registry } from 'prom-client';
import { SlabPoolError } from 'slabpool';
import { collectPoolMetrics } from 'slabpool/prometheus';

const compress = promisify(gzip);

/** Why a request is answered with something else than what it asked for. */
class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * POST /gzip answers with the body, compressed; GET /metrics says what came of it. Each body is received into one lease.
 *
 * @param {import('slabpool').BufferPool} pool
 * @param {{ port: number, maxBody: number }} options bytes of the longest body
 */
export async function startService(pool, { port, maxBody }) {
  const register = new Registry();
  const stopCollecting = collectPoolMetrics(pool, { register });
  const requests = new Counter({
    name: 'gzip_requests_total',
    help: 'Requests to /gzip, by what they were answered with.',
    labelNames: ['status'],
    registers: [register],
  });
  const received = new Counter({
    name: 'gzip_received_bytes_total',
    help: 'Bytes of the bodies that were compressed.',
    registers: [register],
  });

  /** @param {import('node:http').IncomingMessage} request */
  async function compressed(request) {
    const length = Number(request.headers['content-length']);
    if (!Number.isSafeInteger(length)) throw new Refusal(411, 'a body needs a Content-Length');
    if (length > maxBody) throw new Refusal(413, `a body has at most ${maxBody} bytes`);
    // The lease is out until the promise settles: zlib's threads read it until then, also when the client has gone meanwhile.
    return pool.borrow(length, async ({ bytes }) => {
      let at = 0;
      for await (const chunk of request) at += chunk.copy(bytes, at);
      const result = await compress(bytes.subarray(0, at));
      received.inc(at);
      return result;
    });
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async function answer(request, response) {
    const asked = `${request.method} ${request.url}`;
    if (asked === 'GET /metrics') {
      response.setHeader('Content-Type', register.contentType).end(await register.metrics());
    } else if (asked === 'POST /gzip') {
      const { status, headers, body } = await compressed(request).then(
        (body) => ({ status: 200, headers: { 'Content-Type': 'application/gzip' }, body }),
        (error) => ({ ...refusal(error), body: `${error.message}\n` }),
      );
      // Before the client can know: so a scrape after an answer has it.
      requests.inc({ status });
      response.writeHead(status, headers).end(body);
    } else {
      response.writeHead(404).end('POST /gzip or GET /metrics\n');
    }
  }

  /** @type {Set<Promise<unknown>>} */
  const working = new Set();
  const server = createServer((request, response) => {
    const work = answer(request, response)
      .catch((error) => response.destroy(error))
      .finally(() => working.delete(work));
    working.add(work);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: /** @type {import('node:net').AddressInfo} */ (server.address()).port,
    /**
     * Accepts nobody any more, and lets requests under way finish.
     * @param {number} graceMs for how long
     */
    async close(graceMs) {
      const closed = new Promise((resolve) => server.close(resolve));
      const timer = setTimeout(() => server.closeAllConnections(), graceMs);
      await closed;
      clearTimeout(timer);
      // Who was hung up on may have left zlib at work.
      await Promise.all(working);
      stopCollecting();
    },
  };
}

/** @param {unknown} error */
function refusal(error) {
  if (error instanceof Refusal) return { status: error.status, headers: {} };
  if (error instanceof SlabPoolError && ['ERR_SLABPOOL_EXHAUSTED', 'ERR_SLABPOOL_OVERSIZE'].includes(error.code)) {
    return { status: 503, headers: { 'Retry-After': '1' } };
  }
  throw error;
}
