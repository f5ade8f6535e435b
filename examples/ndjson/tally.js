/** @import { Allocator } from './allocator.js' */
/** @import { CountryTotal } from './totals.js' */
import { Batch } from './batch.js';
import { Countries } from './countries.js';
import { BLANK, MALFORMED, NO_COUNTRY, RecordParser } from './record.js';
import { merged, Totals } from './totals.js';

/**
 * @typedef {object} Result
 * @property {CountryTotal[]} countries
 * @property {number} records lines that are JSON objects
 * @property {number} withoutCountry records without a text field `country`
 * @property {number} malformed lines that are no JSON object
 * @property {number} blank
 */

/** Whole records -> rows in batches -> totals: what is done with each block, in whichever thread. */
export class Tally {
  #allocator;
  #countries = new Countries();
  #totals = new Totals();
  #parser = new RecordParser(this.#countries);
  #counts = { records: 0, withoutCountry: 0, malformed: 0, blank: 0 };
  /** @type {Batch | undefined} */
  #batch;
  #rowsAhead = 512;
  #recordsBefore = 0;

  /** @param {Allocator} allocator */
  constructor(allocator) {
    this.#allocator = allocator;
  }

  /**
   * @param {Buffer} bytes whole records, the last byte a newline; the caller's again when this returns
   * @param {number} start
   * @param {number} end
   */
  take(bytes, start, end) {
    const parser = this.#parser;
    const counts = this.#counts;
    for (let at = start; at < end; ) {
      const newline = parser.parse(bytes, at);
      if (parser.status === BLANK) counts.blank++;
      else if (parser.status === MALFORMED) counts.malformed++;
      else counts.records++;
      if (parser.status === NO_COUNTRY) counts.withoutCountry++;
      if (parser.country >= 0 && parser.status !== MALFORMED) {
        this.#batch ??= new Batch(this.#allocator, this.#rowsAhead);
        this.#batch.push(parser.country, parser.lat, parser.lng, newline - at);
        if (this.#batch.full) this.#handOver();
      }
      at = newline + 1;
    }
  }

  endBlock() {
    this.#handOver();
    // The next block is likely to hold about as many records as this one; a full batch is followed by another.
    this.#rowsAhead = Math.ceil((this.#counts.records - this.#recordsBefore) * 1.1) + 16;
    this.#recordsBefore = this.#counts.records;
  }

  /** @returns {Result} */
  result() {
    return { countries: this.#totals.byName(this.#countries), ...this.#counts };
  }

  #handOver() {
    if (this.#batch) this.#totals.add(this.#batch);
    this.#batch = undefined;
  }
}

/**
 * @param {Result[]} results of parts of one file
 * @returns {Result}
 */
export function joined(results) {
  /** @param {'records' | 'withoutCountry' | 'malformed' | 'blank'} name */
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  return {
    countries: merged(results.flatMap(({ countries }) => countries)),
    records: sum('records'),
    withoutCountry: sum('withoutCountry'),
    malformed: sum('malformed'),
    blank: sum('blank'),
  };
}
