import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { describe, expect, test } from 'vitest';
import { documents, fill } from '../bench/report/documents.js';
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

test('a hole for which there are no results is an error', () => {
  const all = committed();
  expect(fill('{{steady > 4000 B > slabpool | ns}} ns', all)).toMatch(/^[\d.]+ ns$/);
  for (const hole of [
    '{{steady > 4000 B > nobody}}',
    '{{3: steady > 4000 B > slabpool}}',
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
