// What rounds of a measurement say, and how sure it is.
import { median, quantile, sampleWithReplacement } from 'simple-statistics';
import { random } from './sizes.js';

const RESAMPLES = 1000;

/** @typedef {readonly [low: number, high: number]} Interval */

/**
 * Where the median lies with 95 % confidence: the percentile bootstrap (B. Efron, Annals of Statistics 7(1), 1979). Drawn from a seed,
 * so that the same rounds always say the same.
 * @param {readonly number[]} values @returns {Interval}
 */
export function medianInterval(values) {
  const next = random();
  return percentiles(
    Array.from({ length: RESAMPLES }, () => median(sampleWithReplacement([...values], values.length, next))),
  );
}

/**
 * How a median of `after` relates to one of `before`, with 95 % confidence: both are drawn anew, since the runs are not paired.
 * @param {readonly number[]} before @param {readonly number[]} after @returns {{ ratio: number, interval: Interval }}
 */
export function change(before, after) {
  const next = random();
  const drawn = (/** @type {readonly number[]} */ from) => median(sampleWithReplacement([...from], from.length, next));
  return {
    ratio: median([...after]) / median([...before]),
    interval: percentiles(Array.from({ length: RESAMPLES }, () => drawn(after) / drawn(before))),
  };
}

/** Whether the rounds cannot tell the two apart. @param {Interval} interval of their ratio */
export const isLevel = ([low, high]) => low <= 1 && high >= 1;

/** How much rounds differ: the middle half of them, as a share of their median. @param {readonly number[]} values */
export function spread(values) {
  return (quantile([...values], 0.75) - quantile([...values], 0.25)) / median([...values]);
}

/** @param {number[]} drawn @returns {Interval} */
function percentiles(drawn) {
  return [quantile(drawn, 0.025), quantile(drawn, 0.975)];
}
