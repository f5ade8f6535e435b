import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { expect, onTestFinished, test } from 'vitest';
import { KiB, MiB } from './backends.js';
import { Scraped } from './scraped.js';

const MAIN = fileURLToPath(new URL('../examples/metrics/main.js', import.meta.url));

/** examples/metrics/main.js in a process of its own. */
class Service {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  #output = '';
  #url = '';
  port = 0;

  constructor(options: string[]) {
    const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
    this.#child = spawn(process.execPath, [MAIN, '--port', '0', ...options], { env });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output += chunk;
      });
    }
    this.#ended = once(this.#child, 'close');
    onTestFinished(() => void this.#child.kill('SIGKILL'));
  }

  static async start(...options: string[]): Promise<Service> {
    const service = new Service(options);
    while (!/listening on .*:\d+\n/.test(service.#output)) {
      await Promise.race([once(service.#child.stdout as NodeJS.EventEmitter, 'data'), service.#ended]);
      if (service.#child.exitCode !== null) throw new Error(`it ended: ${service.#output}`);
    }
    service.port = Number(/:(\d+)\n/.exec(service.#output)?.[1]);
    service.#url = `http://127.0.0.1:${service.port}`;
    return service;
  }

  gzip(body: Uint8Array<ArrayBuffer>): Promise<Response> {
    return fetch(`${this.#url}/gzip`, { method: 'POST', body });
  }

  async scrape(): Promise<Scraped> {
    const response = await fetch(`${this.#url}/metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    return new Scraped(await response.text());
  }

  async stop(): Promise<string> {
    this.#child.kill('SIGTERM');
    expect(await this.#ended).toEqual([0, null]);
    return this.#output;
  }
}

/** What holds of each scrape; the service has one thread, so at any time. */
function expectIdentity(scraped: Scraped): void {
  const usage = (state: string) => scraped.sum('slabpool_memory_usage_bytes', { state });
  const cached = usage('magazine') + usage('depot') + usage('victim');
  const resident = scraped.sum('slabpool_memory_resident_bytes');
  expect(resident).toBe(usage('leased') + usage('in_flight') + cached + usage('quarantined') + usage('retired'));
  expect(resident).toBeLessThanOrEqual(scraped.sum('slabpool_memory_limit_bytes'));
}

test('what /metrics says is what the service did, and adds up at each scrape', async () => {
  const service = await Service.start('--budget', '4096', '--max-body', '2048');
  const first = await service.scrape();
  expectIdentity(first);
  expect(first.sum('slabpool_acquires_total')).toBe(0);

  const sizes = Array.from({ length: 60 }, (_, i) => (i * 7919) % (100 * KiB));
  let sent = 0;
  let before = first.counters();
  for (let from = 0; from < sizes.length; from += 20) {
    const scrapes = [service.scrape(), service.scrape()];
    await Promise.all(
      sizes.slice(from, from + 20).map(async (size) => {
        const body = randomBytes(size);
        const response = await service.gzip(body);
        expect(response.status).toBe(200);
        expect(gunzipSync(await response.arrayBuffer()).equals(body)).toBe(true);
        sent += size;
      }),
    );
    for (const scraped of await Promise.all([...scrapes, service.scrape()])) expectIdentity(scraped);
    const counters = (await service.scrape()).counters();
    for (const [series, value] of before) expect(counters.get(series), series).toBeGreaterThanOrEqual(value);
    before = counters;
  }
  const large = randomBytes(1.5 * MiB);
  expect(gunzipSync(await (await service.gzip(large)).arrayBuffer()).equals(large)).toBe(true);
  expect((await service.gzip(randomBytes(3 * MiB))).status).toBe(413);

  const last = await service.scrape();
  expectIdentity(last);
  expect(last.sum('slabpool_acquires_total')).toBe(sizes.length);
  expect(last.sum('slabpool_oversize_acquires_total')).toBe(1);
  expect(last.sum('slabpool_outstanding_leases')).toBe(0);
  expect(last.sum('slabpool_memory_usage_bytes', { state: 'leased' })).toBe(0);
  expect(last.sum('slabpool_memory_resident_bytes')).toBeGreaterThan(0);
  expect(last.sum('slabpool_exhausted_total')).toBe(0);
  expect(last.sum('gzip_received_bytes_total')).toBe(sent + large.length);
  expect(last.sum('gzip_requests_total', { status: '200' })).toBe(sizes.length + 1);
  expect(last.sum('gzip_requests_total', { status: '413' })).toBe(1);
  expect(await service.stop()).toMatch(/SIGTERM: shutting down\n61 leases, hit rate .* %, nothing out\n$/);
});

test('a body that is on its way shows as out; with the budget full, others are refused and counted', async () => {
  const service = await Service.start('--budget', '128', '--max-body', '128', '--grace', '0');
  const slow = connect(service.port, '127.0.0.1').on('error', () => {});
  slow.write(`POST /gzip HTTP/1.1\r\nHost: test\r\nContent-Length: ${128 * KiB}\r\n\r\nand then nothing`);
  let scraped = await service.scrape();
  while (scraped.sum('slabpool_outstanding_leases') === 0) scraped = await service.scrape();
  expectIdentity(scraped);
  expect(scraped.sum('slabpool_memory_usage_bytes', { state: 'leased' })).toBe(128 * KiB);

  const refused = await service.gzip(randomBytes(1000));
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await refused.text()).toContain("pool 'bodies': a block of 1024 bytes does not fit the budget");
  scraped = await service.scrape();
  expect(scraped.sum('slabpool_exhausted_total')).toBe(1);
  expect(scraped.sum('gzip_requests_total', { status: '503' })).toBe(1);
  // The grace is over at once: who never finishes is hung up on, and what was out comes back.
  const hungUp = once(slow, 'close');
  expect(await service.stop()).toContain('nothing out');
  await hungUp;
});
