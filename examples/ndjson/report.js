/** @import { Result } from './tally.js' */
/** @import { Way } from './rounds.js' */
/** @import { Summary } from './summary.js' */
import Table from 'cli-table3';
import { ratio } from './summary.js';

const TOP = 5;

/**
 * @param {string[]} head
 * @param {string[][]} rows the first column is text, the others are figures
 */
function table(head, rows) {
  const plain = new Table({
    head,
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  plain.push(...rows);
  return plain.toString();
}

/**
 * The data itself: the largest countries, with the mean of their places.
 *
 * @param {Result} result
 */
export function countriesTable(result) {
  const counted = result.records - result.withoutCountry;
  const top = result.countries.toSorted((a, b) => b.records - a.records).slice(0, TOP);
  return table(
    ['country', 'records', 'share', 'text MB', 'mean lat', 'mean lng'],
    top.map(({ country, records, bytes, located, lat, lng }) => [
      country.length > 24 ? `${country.slice(0, 23)}…` : country,
      count(records),
      `${((100 * records) / counted).toFixed(1)} %`,
      (bytes / 1e6).toFixed(1),
      located ? (lat / located / 1e5).toFixed(2) : '-',
      located ? (lng / located / 1e5).toFixed(2) : '-',
    ]),
  );
}

/**
 * What was in the file, and what in it was passed over.
 *
 * @param {Result} result
 */
export function countsLine({ records, countries, withoutCountry, malformed, blank }) {
  const passed = [
    [withoutCountry, 'without a text field "country"'],
    [malformed, 'not a JSON object'],
    [blank, 'blank'],
  ];
  const over = passed.flatMap(([n, what]) => (n ? [`${what}: ${count(Number(n))}`] : []));
  const line = `${count(records)} records, ${count(countries.length)} countries`;
  return over.length > 0 ? `${line}; lines counted apart: ${over.join(', ')}` : line;
}

/** @param {Map<Way, Summary>} summaries the first is what the others are compared with */
export function waysTable(summaries) {
  const [own] = summaries.values();
  return table(
    ['', 'MB/s', 'range', 'of slabpool', 'scavenges', 'full GCs', 'GC ms', 'RSS MiB', 'external MiB', 'hit rate'],
    [...summaries].map(([way, summary]) => [
      summary.backend ? `${way.label} (${summary.backend.kind})` : way.label,
      summary.speed.toFixed(0),
      `${Math.min(...summary.speeds).toFixed(0)}-${Math.max(...summary.speeds).toFixed(0)}`,
      `${ratio(summary, own).median.toFixed(2)}x`,
      summary.scavenges.toFixed(0),
      summary.fullCollections.toFixed(0),
      summary.gcMs.toFixed(1),
      summary.peakRss.toFixed(0),
      summary.peakExternal.toFixed(1),
      summary.hitRate === undefined ? '-' : `${(100 * summary.hitRate).toFixed(2)} %`,
    ]),
  );
}

/** @param {number} n */
function count(n) {
  return n.toLocaleString('en-US');
}
