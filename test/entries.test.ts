import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));

/** The rooms of dist/ that a module loads, its own among them. */
function loadedBy(entry: string): Set<string> {
  const seen = new Set<string>();
  const load = (file: string) => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, path] of readFileSync(`${DIST}${file}`, 'utf8').matchAll(/from '(\.[^']*)'/g)) {
      load(posix.join(posix.dirname(file), path as string));
    }
  };
  load(entry);
  return new Set([...seen].map((file) => file.replace(/(\/.*|\.js)$/, '')));
}

test('slabpool loads nothing of the other pools', () => {
  expect([...loadedBy('index.js')]).not.toContain('object');
});

test('slabpool/object loads no core, so no addon', () => {
  const loaded = loadedBy('object/object.js');
  for (const room of ['core', 'heap', 'pool', 'options', 'handle', 'channel', 'prebuilt'])
    expect([...loaded]).not.toContain(room);
});
