/** @import { CountryTotal } from './totals.js' */
/** @import { Result } from './tally.js' */
/** @import { Run, Way } from './rounds.js' */

const COUNTS = /** @type {const} */ (['records', 'withoutCountry', 'malformed', 'blank']);
const SUMS = /** @type {const} */ (['records', 'bytes', 'located', 'lat', 'lng']);

/**
 * Every run of every way must have found the same, to the last digit.
 *
 * @param {Map<Way, Run[]>} runs
 * @returns {string | undefined} the first difference
 */
export function difference(runs) {
  const [[firstWay, [{ result: expected }]]] = [...runs];
  for (const [way, list] of runs) {
    for (const [round, { result }] of list.entries()) {
      const names = { expected: `${firstWay.label}, round 1`, actual: `${way.label}, round ${round + 1}` };
      const found = countsDiffer(expected, result, names) ?? totalsDiffer(expected.countries, result.countries, names);
      if (found) return found;
    }
  }
  return undefined;
}

/** @typedef {{ expected: string, actual: string }} Names */

/**
 * @param {Result} expected
 * @param {Result} actual
 * @param {Names} names
 */
function countsDiffer(expected, actual, names) {
  const count = COUNTS.find((name) => expected[name] !== actual[name]);
  return count && `${count}: ${expected[count]} (${names.expected}), ${actual[count]} (${names.actual})`;
}

/**
 * @param {CountryTotal[]} expected
 * @param {CountryTotal[]} actual
 * @param {Names} names
 * @returns {string | undefined} the first difference
 */
export function totalsDiffer(expected, actual, names) {
  const others = new Map(actual.map((total) => [total.country, total]));
  for (const total of expected) {
    const other = others.get(total.country);
    if (!other) return `country ${JSON.stringify(total.country)}: in ${names.expected}, not in ${names.actual}`;
    others.delete(total.country);
    const sum = SUMS.find((name) => total[name] !== other[name]);
    if (sum) {
      const where = `country ${JSON.stringify(total.country)}, ${sum}`;
      return `${where}: ${total[sum]} (${names.expected}), ${other[sum]} (${names.actual})`;
    }
  }
  const [extra] = others.keys();
  return extra === undefined
    ? undefined
    : `country ${JSON.stringify(extra)}: in ${names.actual}, not in ${names.expected}`;
}
