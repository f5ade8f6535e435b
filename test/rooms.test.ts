import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const LIB = fileURLToPath(new URL('../lib/', import.meta.url));
const LONGEST = 350; // lines

/** What each room of lib/ may import from, types included: of what stands above it here. */
const ROOMS: Readonly<Record<string, string>> = {
  errors: '',
  prebuilt: '',
  base: 'errors',
  core: 'errors base prebuilt',
  events: 'core',
  options: 'errors base core',
  handle: 'errors core options',
  lease: 'errors base',
  tracking: 'errors base events options lease',
  stats: 'base core events options lease',
  diagnose: 'base core stats',
  heap: 'errors base core events options lease tracking',
  pool: 'errors base core options handle lease tracking stats diagnose heap',
  channel: 'errors base core handle lease heap pool',
  io: 'errors base core lease pool',
  object: 'errors base events lease stats tracking diagnose',
  resource: 'errors base events lease stats tracking diagnose',
  worker: 'errors base handle lease stats diagnose heap pool',
  metrics: 'errors base core stats',
  cli: 'base core options handle stats diagnose pool metrics',
  index: 'errors base core events options handle lease tracking stats diagnose pool channel',
};

const files = (readdirSync(LIB, { recursive: true }) as string[])
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts'));

/** A file that lies in no folder is a room by itself. */
const roomOf = (file: string) => file.replace(/(\/.*|\.ts)$/, '');

/** `'heap -> core'` for each import from one room into another. */
function arrows(): Set<string> {
  const found = new Set<string>();
  for (const file of files) {
    const source = readFileSync(`${LIB}${file}`, 'utf8');
    for (const [, path] of source.matchAll(/(?:from|import\()\s*'(\.[^']*)\.js'/g)) {
      const [from, to] = [roomOf(file), roomOf(posix.join(posix.dirname(file), `${path}.ts`))];
      if (from !== to) found.add(`${from} -> ${to}`);
    }
  }
  return found;
}

test('each room imports from those that the table says, and from each of them', () => {
  const allowed = Object.entries(ROOMS).flatMap(([from, all]) =>
    all.split(' ').flatMap((to) => (to === '' ? [] : [`${from} -> ${to}`])),
  );
  expect([...arrows()].sort()).toEqual(allowed.sort());
});

test('a room imports only from rooms that the table lists before it', () => {
  const rooms = Object.keys(ROOMS);
  expect(new Set(files.map(roomOf))).toEqual(new Set(rooms));
  for (const [at, all] of Object.values(ROOMS).entries()) {
    for (const to of all.split(' ')) if (to !== '') expect(rooms.slice(0, at)).toContain(to);
  }
});

test(`no file of lib/ is longer than ${LONGEST} lines`, () => {
  const long = files.filter((file) => readFileSync(`${LIB}${file}`, 'utf8').split('\n').length > LONGEST + 1);
  expect(long).toEqual([]);
});

test('there is one finalization registry, which is never collected', () => {
  const own = files.filter((file) => readFileSync(`${LIB}${file}`, 'utf8').includes('new FinalizationRegistry'));
  expect(own).toEqual(['base/finalization.ts']);
});
