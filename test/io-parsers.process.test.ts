// Parsers of others on chunks of a pool: what docs/parsers.md says of each.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Duplex, Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { BufferPool } from 'slabpool';
import { checkParser, chunkOf, feed, type ParserCheck } from 'slabpool/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BACKENDS, checkBooks, KiB } from './backends.js';
import { cities, csv, csvSpectrum, rows } from './parsers.js';

const load = createRequire(import.meta.url);
const ROWS = await rows();
/** Some that cut through everything, one in which a few records are, and one that holds all. */
const SIZES = [7, 509, 16_381];

describe.each(BACKENDS)('checkParser() on the %s core', (backend) => {
  const tried = ROWS.flatMap((row) => {
    const modes = Object.entries(row.verdicts) as ['records' | 'borrow', ParserCheck['verdict']][];
    return modes.map(([mode, verdict]) => ({ ...row, mode, verdict }));
  });
  const options = { backend, chunkSizes: SIZES };

  test.each(tried)('$name, mode $mode: $verdict', async ({ make, input, records, mode, verdict, lenient }) => {
    const { reason, ...result } = await checkParser(make, input, { ...options, mode, ...(records && { records }) });
    const expected = mode === 'records' && result.verdict === lenient ? lenient : verdict;
    expect({ ...result, reason }).toMatchObject({ mode, verdict: expected, safe: verdict === 'safe' });
    expect(reason === null).toBe(verdict === 'safe');
  });

  test.each(ROWS)('$name, mode copy: safe', async ({ make, input, records }) => {
    const checked = await checkParser(make, input, { ...options, mode: 'copy', ...(records && { records }) });
    expect(checked).toMatchObject({ verdict: 'safe', chunkBytes: null, reason: null });
  });
});

describe.each(BACKENDS)('rows from chunks of the %s core', (backend) => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool({ name: 'rows', backend, debug: 'detach', tiers: [KiB], maxBytes: 8 * KiB });
  });
  afterEach(() => {
    pool.assertNoLeaks();
    checkBooks(pool);
    pool.close();
  });

  async function* chunks(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) {
      const lease = await pool.acquireAsync(size);
      yield chunkOf(lease, 0, bytes.copy(lease.bytes, 0, at, at + size));
    }
  }

  const CSV = [
    ['csv-parse', 'copy', () => load('csv-parse').parse({ columns: true })],
    ['csv-parser', 'copy', () => load('csv-parser')()],
    ['papaparse', 'borrow', () => load('papaparse').parse(load('papaparse').NODE_STREAM_INPUT, { header: true })],
  ] as const;

  async function rowsOf(parser: Duplex, fed: (parser: Duplex) => Promise<unknown>): Promise<unknown[]> {
    const all: unknown[] = [];
    parser.on('data', (row: object) => all.push({ ...row }));
    await Promise.all([fed(parser), finished(parser)]);
    return all;
  }

  test.each(CSV)('%s reads them as from fresh buffers', async (_, mode, make) => {
    const read = (bytes: Buffer, size: number) => rowsOf(make(), (parser) => feed(parser, chunks(bytes, size), mode));
    expect(await read(csv, 100)).toEqual(cities.map(({ name, lat, lng }) => ({ name, lat, lng })));
    for (const { name, csv: bytes } of csvSpectrum()) {
      const fresh: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += 5) fresh.push(Buffer.from(bytes.subarray(at, at + 5)));
      const expected = await rowsOf(make(), (parser) => pipeline(Readable.from(fresh), parser));
      expect([name, await read(bytes, 5)]).toEqual([name, expected]);
      expect(expected).not.toEqual([]);
    }
  });
});

test('the table of docs/parsers.md says what the tests say', () => {
  const page = readFileSync(new URL('../docs/parsers.md', import.meta.url), 'utf8');
  const [, table] = page.match(/\n(\| parser \|.*?)\n\n/s) as RegExpMatchArray;
  const said = (table as string)
    .split('\n')
    .slice(2)
    .map((row) => row.split('|').map((cell) => cell.trim()))
    .map(([, name, , , records, borrow]) => [name, records, borrow]);
  expect(said).toEqual(ROWS.map(({ name, verdicts }) => [`\`${name}\``, verdicts.records ?? '', verdicts.borrow]));
});
