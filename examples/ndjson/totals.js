/** @import { Batch } from './batch.js' */
import { NOWHERE } from './record.js';

/**
 * All sums are integers below 2^53, so they are exact and do not depend on the order of the records.
 *
 * @typedef {object} CountryTotal
 * @property {string} country
 * @property {number} records
 * @property {number} bytes without the newlines
 * @property {number} located records with both coordinates
 * @property {number} lat sum, in 1e-5 degrees
 * @property {number} lng sum, in 1e-5 degrees
 */

/** @typedef {Omit<CountryTotal, 'country'>} Sums */

/** Sums per country. Batches handed to `add` are its own: it releases them. */
export class Totals {
  /** @type {Sums[]} by country number */
  #sums = [];

  /** @param {Batch} batch */
  add(batch) {
    batch.drain(this.#row);
  }

  /**
   * @param {number} country
   * @param {number} lat
   * @param {number} lng
   * @param {number} length
   */
  #row = (country, lat, lng, length) => {
    while (country >= this.#sums.length) this.#sums.push({ records: 0, bytes: 0, located: 0, lat: 0, lng: 0 });
    const sums = this.#sums[country];
    sums.records++;
    sums.bytes += length;
    if (lat === NOWHERE || lng === NOWHERE) return;
    sums.located++;
    sums.lat += lat;
    sums.lng += lng;
  };

  /**
   * @param {import('./countries.js').Countries} countries
   * @returns {CountryTotal[]} in the order of their names
   */
  byName(countries) {
    return merged(
      this.#sums.flatMap((sums, id) => (sums.records === 0 ? [] : [{ country: countries.nameOf(id), ...sums }])),
    );
  }
}

/**
 * @param {CountryTotal[]} totals a country may be there more than once
 * @returns {CountryTotal[]} each country once, in the order of their names
 */
export function merged(totals) {
  /** @type {Map<string, CountryTotal>} */
  const named = new Map();
  for (const total of totals) {
    const known = named.get(total.country);
    named.set(total.country, known ? sum(known, total) : total);
  }
  return [...named.values()].sort((a, b) => (a.country < b.country ? -1 : 1));
}

/**
 * @param {CountryTotal} a
 * @param {Sums} b
 * @returns {CountryTotal}
 */
function sum(a, b) {
  return {
    country: a.country,
    records: a.records + b.records,
    bytes: a.bytes + b.bytes,
    located: a.located + b.located,
    lat: a.lat + b.lat,
    lng: a.lng + b.lng,
  };
}
