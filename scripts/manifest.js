// prebuilds/manifest.json: what each binary was when it was made.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sourceHash } from '../native/source-hash.js';
import { node, root } from './run.js';
import { TARGETS } from './targets.js';

/** @typedef {{ bytes: number, sha256: string, sourceHash?: string }} Made */

/** @param {string} folder of the package */
export const manifestIn = (folder) => join(folder, 'prebuilds/manifest.json');

/** @param {string} [folder] of the package @returns {Record<string, Made>} */
export function readManifest(folder = root) {
  const path = manifestIn(folder);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
}

/** @param {string} path of a binary @returns {Made} */
export function describeBinary(path) {
  const content = readFileSync(path);
  return { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
}

/** Those that are not to be published as they are, and why. @returns {{ name: string, fault: string }[]} */
export function unfitBinaries() {
  const manifest = readManifest();
  const current = sourceHash();
  return TARGETS.flatMap(({ name }) => {
    const path = join(root, 'prebuilds', name);
    const known = manifest[name];
    if (known === undefined || !existsSync(path)) return [{ name, fault: 'missing' }];
    if (known.sourceHash !== current) return [{ name, fault: 'stale: its sources have changed since' }];
    return known.sha256 === describeBinary(path).sha256 ? [] : [{ name, fault: 'not the one that was made' }];
  });
}

/** Makes those anew. */
export function refreshBinaries() {
  const names = unfitBinaries().map(({ name }) => name);
  if (names.length > 0 && !node('scripts/prebuild.js', names)) throw new Error(`cannot make ${names.join(', ')}`);
}
