// Ratios as bars on a log axis, with their intervals: an SVG, drawn by vega without a browser.
import { parse, View } from 'vega';
import { compile } from 'vega-lite';

/** Pixels: a phone's width, of which a wide window has several side by side. */
const WIDTH = 320;
const ROW = 34;

/**
 * @typedef {object} Bar
 * @property {string} name
 * @property {number} ratio
 * @property {number} low of the interval, or of the rounds where results have no interval
 * @property {number} high
 */

/**
 * A bar for each, which begins at 1: to the right is slower than slabpool, to the left faster. That is told by the side, and not by the
 * colour alone.
 * @param {readonly Bar[]} bars
 * @returns {Promise<string>}
 */
export async function ratioBars(bars) {
  const values = bars.map((bar) => ({
    ...bar,
    text: figure(bar.ratio),
    /** Where its figure stands: right of the bar, on whichever side that is. */
    end: Math.max(1, bar.high),
    side: bar.ratio < 1 ? 'faster' : 'slower',
  }));
  const least = Math.min(0.5, ...bars.map(({ low }) => low));
  // Room for the figure behind the longest bar.
  const most = Math.max(2, ...bars.map(({ high }) => high)) ** 1.25 * 1.3;
  const y = { field: 'name', type: 'nominal', sort: null, axis: null };
  const x = (/** @type {string} */ field) => ({
    field,
    type: 'quantitative',
    scale: { type: 'log', domain: [least, most], nice: false },
    axis: { title: null, format: '~g', values: ticks(least, most), domain: false, tickSize: 0 },
  });
  const spec = {
    width: WIDTH,
    height: ROW * bars.length,
    // All alike, however long their names are.
    autosize: 'none',
    padding: { left: 4, right: 44, top: 4, bottom: 20 },
    data: { values },
    layer: [
      {
        mark: { type: 'bar', height: 10, yOffset: 7 },
        encoding: {
          y,
          x: x('ratio'),
          x2: { datum: 1 },
          color: {
            field: 'side',
            type: 'nominal',
            scale: { domain: ['slower', 'faster'], range: ['#2f855a', '#c05621'] },
            legend: null,
          },
        },
      },
      { mark: { type: 'rule', strokeWidth: 2, yOffset: 7 }, encoding: { y, x: x('low'), x2: { field: 'high' } } },
      {
        mark: { type: 'text', align: 'left', x: 0, dy: -8, fontSize: 12, limit: 0 },
        encoding: { y, text: { field: 'name' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 5, dy: 7, fontSize: 12, fontWeight: 'bold' },
        encoding: { y, x: x('end'), text: { field: 'text' } },
      },
      {
        data: { values: [{}] },
        mark: { type: 'rule', strokeWidth: 1 },
        encoding: { x: { datum: 1, type: 'quantitative' } },
      },
    ],
    config: { view: { stroke: null }, font: 'system-ui, sans-serif', background: null },
  };
  const view = new View(parse(compile(/** @type {any} */ (spec)).spec), { renderer: 'none' });
  return view.toSVG();
}

/** Results of before there were intervals have the least and the greatest ratio of a round. @param {import('../measure.js').Result & { low?: number, high?: number }} one @returns {Bar} */
export function barFrom({ name, ratio, interval, low = ratio, high = ratio }) {
  return interval === undefined ? { name, ratio, low, high } : { name, ratio, low: interval[0], high: interval[1] };
}

/** Powers of ten, with 0.5 and 2 where there is room for them. @param {number} least @param {number} most */
function ticks(least, most) {
  const powers = [0.01, 0.1, 1, 10, 100, 1000, 10_000].filter((tick) => tick >= least && tick <= most);
  return most < 100 ? [0.5, ...powers, 2, 5].filter((tick) => tick >= least && tick <= most) : powers;
}

/** Three digits, or all before the point. @param {number} value */
export function figure(value) {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)));
}
