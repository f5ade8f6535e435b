/** @import { Allocator } from './allocator.js' */
/** @import { CountryTotal } from './totals.js' */
import { open } from 'node:fs/promises';
import { Batch } from './batch.js';
import { blocksOf } from './blocks.js';
import { Countries } from './countries.js';
import { BLANK, MALFORMED, NO_COUNTRY, RecordParser } from './record.js';
import { Splitter } from './splitter.js';
import { Totals } from './totals.js';

/**
 * @typedef {object} Result
 * @property {CountryTotal[]} countries
 * @property {number} records lines that are JSON objects
 * @property {number} withoutCountry records without a text field `country`
 * @property {number} malformed lines that are no JSON object
 * @property {number} blank
 */

/**
 * read blocks -> split into records -> rows in batches -> totals. Every buffer on the way is acquired when it is needed
 * and released as soon as it has been read: a 64 KiB block per read, a batch of some KiB per block, and two small
 * buffers for each record that crosses from one block into the next.
 *
 * @param {string} path
 * @param {Allocator} allocator
 * @param {(bytes: number) => void} onBytes called after each block with the bytes done so far
 * @returns {Promise<Result>}
 */
export async function aggregate(path, allocator, onBytes) {
  const countries = new Countries();
  const totals = new Totals();
  const parser = new RecordParser(countries);
  const counts = { records: 0, withoutCountry: 0, malformed: 0, blank: 0 };
  /** @type {Batch | undefined} */
  let batch;
  let rowsAhead = 512;

  const handOver = () => {
    if (batch) totals.add(batch);
    batch = undefined;
  };

  const splitter = new Splitter(allocator, (bytes, start, end) => {
    for (let at = start; at < end; ) {
      const newline = parser.parse(bytes, at);
      if (parser.status === BLANK) counts.blank++;
      else if (parser.status === MALFORMED) counts.malformed++;
      else counts.records++;
      if (parser.status === NO_COUNTRY) counts.withoutCountry++;
      if (parser.country >= 0 && parser.status !== MALFORMED) {
        batch ??= new Batch(allocator, rowsAhead);
        batch.push(parser.country, parser.lat, parser.lng, newline - at);
        if (batch.full) handOver();
      }
      at = newline + 1;
    }
  });

  const file = await open(path);
  try {
    let done = 0;
    for await (const { holding, length } of blocksOf(file, (await file.stat()).size, allocator)) {
      const before = counts.records;
      splitter.push(holding.bytes, length);
      holding.release();
      handOver();
      // The next block is likely to hold about as many records as this one; a full batch is followed by another.
      rowsAhead = Math.ceil((counts.records - before) * 1.1) + 16;
      done += length;
      onBytes(done);
    }
    splitter.end();
    handOver();
  } finally {
    await file.close();
  }
  return { countries: totals.byName(countries), ...counts };
}
