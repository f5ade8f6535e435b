// Charts as SVG, drawn by vega without a browser: ratios as bars on a log axis with their intervals, and curves over time.
import { parse, View } from 'vega';
import { compile } from 'vega-lite';
import { figure } from '../format.js';
import { PERCENTILE } from '../percentiles.js';

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
        mark: { type: 'text', align: 'left', x: 0, dy: -8, fontSize: 11, limit: 0 },
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
  };
  return draw(spec);
}

/** Told apart without colours. */
const DASHES = [[], [6, 3], [2, 2], [8, 2, 2, 2]];
const STROKES = ['#2f855a', '#c05621', '#2b6cb0', '#805ad5'];

/** Percentiles by their nines. */
const PERCENTILES = ['0 %', '90 %', '99 %', '99.9 %', '99.99 %'];

/** Lines over time or over percentiles, each with its name at the end of its dash pattern in the legend. @param {import('../results.js').Curves} curves */
export async function lines({ x, y, lines: all }) {
  const names = Object.keys(all);
  const values = names.flatMap((name) =>
    /** @type {[number, number][]} */ (all[name]).map(([at, value]) => ({ name, at, value })),
  );
  const scale = { domain: names };
  return draw({
    width: WIDTH,
    height: 180,
    autosize: 'none',
    padding: { left: 44, right: 8, top: 8 + 18 * names.length, bottom: 36 },
    data: { values },
    mark: { type: 'line', strokeWidth: 1.75 },
    encoding: {
      x: { field: 'at', type: 'quantitative', axis: { title: x, grid: false, ...ticksOf(x) } },
      y: {
        field: 'value',
        type: 'quantitative',
        // Its unit above its figures.
        axis: { title: y, titleAngle: 0, titleAlign: 'left', titleX: -40, titleY: -14, tickCount: 5, format: ',~r' },
        scale: scaleOf(x),
      },
      color: {
        field: 'name',
        type: 'nominal',
        scale: { ...scale, range: STROKES },
        legend: {
          title: null,
          orient: 'none',
          legendX: 0,
          legendY: -18 * names.length - 4,
          symbolType: 'stroke',
          symbolSize: 500,
          labelLimit: 0,
          rowPadding: 4,
        },
      },
      strokeDash: { field: 'name', type: 'nominal', scale: { ...scale, range: DASHES }, legend: { title: null } },
    },
  });
}

/** @param {string} x */
const ticksOf = (x) =>
  x === PERCENTILE
    ? { values: [...PERCENTILES.keys()], labelExpr: `${JSON.stringify(PERCENTILES)}[datum.value]` }
    : { tickCount: 6 };

/** What percentiles have grows with their nines. @param {string} x */
const scaleOf = (x) => (x === PERCENTILE ? { type: 'log' } : {});

/** @param {object} spec of vega-lite @returns {Promise<string>} an SVG */
function draw(spec) {
  const config = { view: { stroke: null }, font: 'system-ui, sans-serif', background: null };
  return new View(parse(compile(/** @type {any} */ ({ ...spec, config })).spec), { renderer: 'none' }).toSVG();
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
