/** @import { Job, Reading, Way } from './jobs.js' */
import { rateOf } from './race.js';

const BAR = 28;
const LABEL = 40;
/** Within this share of one another, two rates are called even: runs differ by as much. */
const EVEN = 0.05;

const { NO_COLOR } = process.env;
const coloured = process.stdout.isTTY === true && !NO_COLOR;
/** @param {number} code @param {string} text */
const paint = (code, text) => (coloured && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text);
const [BOLD, RED, GREEN, GREY] = [1, 31, 32, 90];

/** @param {number} value */
const whole = (value) => value.toFixed(0).replace(/\B(?=(\d{3})+$)/g, ',');

/** The bars of one job, the first of which is slabpool's. @param {Job} job @param {Map<Way, Reading[]>} runs */
export function barsOf({ title, ways }, runs) {
  const figures = ways.map((way) => rateOf(runs.get(way) ?? []));
  const [own] = figures;
  const rates = figures.map(({ rate }) => rate);
  const most = Math.max(...rates);
  const rows = figures.map(({ rate, rss }, i) => {
    const bar = '█'.repeat(Math.max(1, Math.round((rate / most) * BAR)));
    const behind = i > 0 && rate > own.rate * (1 + EVEN);
    const ratio = i === 0 ? '' : `${(own.rate / rate).toFixed(1)} x`;
    const colour = i === 0 ? GREEN : behind ? RED : GREY;
    const row = `  ${ways[i].label.padEnd(LABEL)} ${paint(colour, bar)}${' '.repeat(BAR - bar.length)}`;
    return `${row} ${whole(rate).padStart(7)} ${ratio.padStart(7)} ${whole(rss).padStart(6)} MB${behind ? '  slabpool loses' : ''}`;
  });
  const best = 1 + rates.slice(1).indexOf(Math.max(...rates.slice(1)));
  return {
    text: [paint(BOLD, title), ...rows].join('\n'),
    title,
    gain: own.rate / rates[best],
    over: ways[best].label,
  };
}

/** What the columns are. */
export const HEAD = `${' '.repeat(LABEL + BAR + 3)}MB/CPU s    gain  peak RSS`;

/** @typedef {{ title: string, gain: number, over: string }} Gain slabpool's rate over that of the best other way */

/** Where slabpool is ahead of the best other way, and where not. @param {readonly Gain[]} gains */
export function summaryOf(gains) {
  const name = (/** @type {Gain} */ { title, gain, over }) => `  ${gain.toFixed(2)} x  ${title} (${over})`;
  const groups = [
    { what: 'Ahead of the best other way:', of: gains.filter(({ gain }) => gain > 1 + EVEN) },
    { what: 'Even:', of: gains.filter(({ gain }) => gain <= 1 + EVEN && gain >= 1 / (1 + EVEN)) },
    { what: 'Behind the best other way:', of: gains.filter(({ gain }) => gain < 1 / (1 + EVEN)) },
  ];
  return groups.flatMap(({ what, of }) => (of.length === 0 ? [] : [what, ...of.map(name)])).join('\n');
}
