import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { REMOVED } from '../bench/detection.js';
import { html } from '../bench/report/markup.js';
import { page } from '../bench/report/page.js';
import { committed } from '../bench/results.js';
import { change, isLevel, medianInterval, spread } from '../bench/statistics.js';

const ROUNDS = [1.1, 1.3, 1.2, 1.25, 1.15, 1.22, 1.18];

test('an interval lies around the median, within the rounds, and is the same each time', () => {
  const [low, high] = medianInterval(ROUNDS);
  expect(low).toBeGreaterThanOrEqual(1.1);
  expect(low).toBeLessThanOrEqual(1.2);
  expect(high).toBeGreaterThanOrEqual(1.2);
  expect(high).toBeLessThanOrEqual(1.3);
  expect(medianInterval(ROUNDS)).toEqual([low, high]);
  expect(medianInterval([2, 2, 2])).toEqual([2, 2]);
});

test('what crosses 1 is level', () => {
  expect([isLevel([0.9, 1.1]), isLevel([1, 1.1]), isLevel([0.8, 0.99]), isLevel([1.01, 2])]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('a change that there was not is level, one that there was is not', () => {
  expect(isLevel(change(ROUNDS, [...ROUNDS].reverse()).interval)).toBe(true);
  const doubled = change(
    ROUNDS,
    ROUNDS.map((round) => 2 * round),
  );
  expect(doubled.ratio).toBe(2);
  expect(isLevel(doubled.interval)).toBe(false);
});

test('the spread is that of the middle half', () => {
  expect(spread([1, 1, 1, 1])).toBe(0);
  expect(spread([1, 2, 3, 4, 100])).toBeCloseTo(2 / 3);
});

test('templates escape what is put into them, but for markup', () => {
  expect(String(html`<p>${'<b>'}${html`<i>${'"'}</i>`}${[1, 'a&b']}</p>`)).toBe(
    '<p>&#60;b&#62;<i>&#34;</i>1a&#38;b</p>',
  );
});

test('the page has every table of results, each as bars and as figures, and nothing that is missing', async () => {
  const all = committed();
  const text = await page(all);
  const tables = all.flatMap(({ results }) =>
    Object.entries(results.results).filter(([, cases]) => typeof cases !== 'number'),
  );
  expect(text.match(/<div class="card"><h3>/g)?.length).toBeGreaterThan(tables.length);
  const curves = all.flatMap(({ results }) => Object.keys(results.series ?? {}));
  expect(text.match(/<summary>Data<\/summary>/g)).toHaveLength(tables.length + curves.length);
  for (const [label] of tables) expect(text).toContain(`<h3>${String(html`${label}`)}</h3>`);
  expect(text).not.toMatch(/undefined|NaN|Infinity|\[object/);
  expect(text).not.toMatch(/(?:src|href)="(?!#)/);
});

test.each(REMOVED)('what the benchmark of detection takes out of %s is there', (file, text) => {
  expect(readFileSync(new URL(`../dist/${file}`, import.meta.url), 'utf8').split(text)).toHaveLength(2);
});
