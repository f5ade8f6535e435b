import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { documents, fill, HOLE, written } from '../bench/report/documents.js';
import { committed } from '../bench/results.js';
import { events } from '../dist/events.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const { './package.json': _, ...exported }: Record<string, unknown> = JSON.parse(read('package.json')).exports;

const FOLDERS = ['.', 'docs', 'native', 'native/test', 'examples', 'examples/metrics'];
const pages = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name)),
);

/** The anchors that a page has, as GitHub makes them of its headings. */
function anchorsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  );
}

test.each(pages)('links of %s lead somewhere', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)\s]*)\)/g)].map(([, link]) => link as string);
  const broken = links.filter((link) => {
    const [path = '', anchor] = link.split('#');
    const file = path === '' ? page : relative(root, join(root, dirname(page), path));
    return !existsSync(join(root, file)) || (anchor !== undefined && !anchorsOf(read(file)).includes(anchor));
  });
  expect(broken).toEqual([]);
});

test.each(pages)('files that %s names are there', (page) => {
  const named = [...read(page).matchAll(/`((?:bench|docs|examples|lib|native|scripts|test)\/[\w./-]*)`/g)].map(
    ([, path]) => path as string,
  );
  expect(named.filter((path) => path !== 'docs/api/' && !existsSync(join(root, path)))).toEqual([]);
});

test('the figures of documents are those of bench/results', () => {
  for (const [page, filled] of Object.entries(documents(committed()))) expect(read(page)).toBe(filled);
});

/** A number with a unit that is measured, as a share of the time, or alone in a cell. */
const FIGURE =
  /\d[\d.,]*\s?(?:[nµu]s|ms|s|min|minutes|seconds|%|x|×|times|of \S+ time|[GM]B(?:\/s)?)(?!\w)|\*\*[\d.,]+\*\*|(?<=\|\s*)\d+\.\d+(?=\s*\|)/g;

/** What no benchmark has to show: defaults, thresholds, examples, and what others say. */
const GIVEN: Record<string, string[]> = {
  'README.md': ['5 s'], // epochs
  'docs/benchmarks.md': ['95 %', '99 %'], // of confidence, and of what a limit leaves; a percentile
  'docs/design.md': ['70 %', '90 %', '10 %', '200 ms', '2 s'], // memory pressure; systemd's, of stalls
  'docs/diagnose.md': ['3 %', '95 %', '50 %', '15 %', '1 %', '5 %', '99 %', '70 %', '0.2 ms', '90 %'], // thresholds
  'docs/memory.md': ['5 s', '70 %', '90 %', '50 ms'], // epochs; memory pressure; an example of a timeout
  'docs/objects.md': ['5 s'], // epochs
  'docs/reference.md': ['30 min'], // a default
  'docs/resources.md': ['100 ms', '200 ms', '5 s', '10 s', '30 min', '90 %'], // defaults; what the benchmark is
  'docs/which-pool.md': ['20 ms', '80 %', '99 %'], // examples of Little's law
};

test.each(pages.filter((page) => page === 'README.md' || page.startsWith('docs/')))(
  'figures of %s that are typed by hand are not measured ones',
  (page) => {
    const text = written(page)
      .replaceAll(HOLE, '...')
      .replaceAll(/```.*?```/gs, '');
    expect([...new Set(text.match(FIGURE))]).toEqual(GIVEN[page] ?? []);
  },
);

test('a hole for which there are no results is an error', () => {
  const all = committed();
  expect(fill('{{steady > 4000 B > slabpool | ns}} ns', all)).toMatch(/^[\d.]+ ns$/);
  for (const hole of [
    '{{steady > 4000 B > nobody}}',
    '{{3: steady > 4000 B > slabpool}}',
    '{{bun0: steady > 4000 B > slabpool}}',
    '{{decay > nothing}}',
    '{{nothing @ cpu}}',
  ]) {
    expect(() => fill(hole, all)).toThrow(hole);
  }
});

describe('the tables are complete:', () => {
  const rowsOf = (page: string, first: RegExp) => [...read(page).matchAll(first)].map(([, name]) => name);

  test('options', () => {
    const pool = new BufferPool({ backend: 'native' });
    const options = Object.keys(pool.handle.options).sort();
    pool.close();
    const rows = (page: string) => {
      const [, table] = read(page).match(/\n## Options\n(.*?)\n## /s) as RegExpMatchArray;
      const names = [...(table as string).matchAll(/^\| (`.*?) \|/gm)].flatMap(([, cell]) =>
        (cell as string).split(', '),
      );
      return names.map((name) => name.replaceAll('`', '')).sort();
    };
    expect(rows('docs/reference.md')).toEqual(options);
    expect(rows('README.md')).toEqual(options);
  });

  test('events', () => {
    const names = Object.values(events).map(({ name }) => name);
    expect(rowsOf('docs/reference.md', /^\| `(slabpool:[a-z:-]+)` \|/gm).sort()).toEqual(names.sort());
  });

  test('errors', () => {
    const codes = new Set(read('lib/errors.ts').match(/(?<=^ {2}\| ')ERR_SLABPOOL_\w+/gm));
    expect(rowsOf('docs/reference.md', /^\| `(ERR_SLABPOOL_\w+)` \|/gm).sort()).toEqual([...codes].sort());
  });
});

test.each(Object.keys(exported))('what `require` declares of %s is what the module exports', async (name) => {
  const module: object = await import(name.replace('.', 'slabpool'));
  const declared = [
    ...read(`require/${name.replace('./', '').replace('.', 'index')}.d.cts`).matchAll(/declare const (\w+):/g),
  ];
  expect(declared.map(([, value]) => value).sort()).toEqual(Object.keys(module).sort());
});
