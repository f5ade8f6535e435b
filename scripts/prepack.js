// Before packing: builds dist/, and refuses to pack binaries that are missing, stale or not what the manifest says.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sourceHash } from '../native/source-hash.js';
import { buildLibrary, root } from './run.js';
import { TARGETS } from './targets.js';

/** @param {string} name */
function faultOf(name) {
  const path = join(root, 'prebuilds', name);
  const known = manifest[name];
  if (known === undefined || !existsSync(path)) return 'missing';
  if (known.sourceHash !== sourceHash()) return 'stale: its sources have changed since';
  const sha256 = createHash('sha256').update(readFileSync(path)).digest('hex');
  return known.sha256 === sha256 ? undefined : 'not the one that was made';
}

const manifestPath = join(root, 'prebuilds/manifest.json');
/** @type {Record<string, { sha256: string, sourceHash: string } | undefined>} */
const manifest = existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, 'utf8')) : {};
const faults = TARGETS.map(({ name }) => ({ name, fault: faultOf(name) })).filter(({ fault }) => fault !== undefined);
if (faults.length > 0) {
  for (const { name, fault } of faults) console.error(`prebuilds/${name} is ${fault}`);
  console.error('The package is not to be packed like that: npm run prebuild -- --all');
  process.exitCode = 1;
} else if (!buildLibrary()) {
  process.exitCode = 1;
}
