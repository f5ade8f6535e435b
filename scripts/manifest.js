// prebuilds/manifest.json: what each binary was when it was made.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sourceHash } from '../native/source-hash.js';
import { node, root } from './run.js';
import { TARGETS } from './targets.js';

export const manifestPath = join(root, 'prebuilds/manifest.json');

/** @returns {Record<string, { bytes: number, sha256: string, sourceHash: string }>} */
export function readManifest() {
  return existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, 'utf8')) : {};
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
    const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
    return known.sha256 === sha256 ? [] : [{ name, fault: 'not the one that was made' }];
  });
}

/** Makes those anew. */
export function refreshBinaries() {
  const names = unfitBinaries().map(({ name }) => name);
  if (names.length > 0 && !node('scripts/prebuild.js', names)) throw new Error(`cannot make ${names.join(', ')}`);
}
