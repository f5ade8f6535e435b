import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { page as render } from '../../bench/report/page.js';
import { committed } from '../../bench/results.js';
import { BROWSER } from '../../scripts/browser.js';

let browser: Browser;
let folder: string;
let url: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'slabpool-page-'));
  const file = join(folder, 'page.html');
  writeFileSync(file, await render(committed()));
  url = pathToFileURL(file).href;
  // As root, as in a container, Chromium has no sandbox.
  browser = await puppeteer.launch({ executablePath: BROWSER, args: ['--no-sandbox'] });
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

/** The page at a width, and what has gone wrong. */
async function open(width: number, scheme: 'light' | 'dark' = 'light'): Promise<{ page: Page; wrong: string[] }> {
  const page = await browser.newPage();
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(String(error)));
  page.on('console', (message) => wrong.push(message.text()));
  page.on('request', (request) => request.url() === url || wrong.push(request.url()));
  await page.setViewport({ width, height: 900 });
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  await page.goto(url);
  await page.evaluate(() => {
    for (const one of document.querySelectorAll<HTMLDetailsElement>('details.runtime')) one.open = true;
  });
  return { page, wrong };
}

describe.each([
  ['a desktop', 1280],
  ['a phone', 360],
])('on %s', (_, width) => {
  test('there is no error, nothing is loaded, and nothing is wider than the window', async () => {
    const { page, wrong } = await open(width);
    const wide = await page.evaluate(() =>
      [...document.querySelectorAll('body *')]
        .filter((element) => element.closest('.wide, details:not([open])') === null)
        .filter((element) => element.getBoundingClientRect().right > window.innerWidth + 1)
        .map((element) => element.outerHTML.slice(0, 100)),
    );
    expect({ wrong, wide }).toEqual({ wrong: [], wide: [] });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    await page.close();
  });

  test('each chart can be seen, and has its data in a table', async () => {
    const { page } = await open(width);
    const charts = await page.evaluate(() =>
      [...document.querySelectorAll('.card:has(svg):has(details)')].map((card) => ({
        title: card.querySelector('h3')?.textContent,
        width: card.querySelector('svg')?.getBoundingClientRect().width ?? 0,
        // Bars; of curves the lines.
        drawn: card.querySelectorAll('.mark-rect.role-mark path, .mark-line path').length,
        rows: card.querySelectorAll('tbody tr').length - (card.querySelector('.mark-line') === null ? 1 : 0),
      })),
    );
    expect(charts.length).toBeGreaterThan(50);
    expect(charts.filter((chart) => chart.width < 250 || chart.rows !== chart.drawn)).toEqual([]);
    await page.close();
  });
});

test('links lead to places on the page', async () => {
  const { page } = await open(1280);
  const broken = await page.evaluate(() =>
    [...document.querySelectorAll('a')]
      .map((link) => link.hash)
      .filter((hash) => document.querySelector(hash) === null),
  );
  expect(broken).toEqual([]);
  await page.close();
});

test.each(['light', 'dark'] as const)('texts stand out from what is behind them: %s', async (scheme) => {
  const { page } = await open(1280, scheme);
  const colors = await page.evaluate(() => {
    const of = (selector: string, key: 'color' | 'fill' | 'backgroundColor') =>
      getComputedStyle(document.querySelector(selector) as Element)[key];
    return {
      paper: of('body', 'backgroundColor'),
      inks: [
        of('body', 'color'),
        of('svg .mark-text text', 'fill'),
        of('svg .role-axis-label text', 'fill'),
        of('p.of', 'color'),
      ],
    };
  });
  for (const ink of colors.inks) expect(contrast(ink, colors.paper)).toBeGreaterThan(4);
  await page.close();
});

/** As WCAG defines it, of two colours such as `rgb(1, 2, 3)`. */
function contrast(one: string, other: string): number {
  const luminance = (color: string) => {
    const [r, g, b] = (color.match(/\d+/g) as string[]).slice(0, 3).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}
