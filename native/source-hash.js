// Prints the SHA-256 of everything a binary is made from. It is compiled into the addon, so that a prebuilt binary can be
// told from its sources' present state (test/prebuild.test.ts).
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const sources = ['binding.gyp', ...list('native/core/'), ...list('native/binding/')];

/** @param {string} folder */
function list(folder) {
  return readdirSync(new URL(folder, root))
    .sort()
    .map((name) => folder + name);
}

export function sourceHash() {
  const hash = createHash('sha256');
  for (const source of sources) hash.update(`${source}\0`).update(readFileSync(new URL(source, root)));
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(sourceHash());
