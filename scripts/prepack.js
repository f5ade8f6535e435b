// Before packing: builds dist/ anew, and refuses to pack binaries that are missing, stale or not what the manifest says.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { unfitBinaries } from './manifest.js';
import { buildLibrary, root } from './run.js';

const unfit = unfitBinaries();
if (unfit.length > 0) {
  for (const { name, fault } of unfit) console.error(`prebuilds/${name} is ${fault}`);
  console.error('The package is not to be packed like that: npm run prebuilds -- --all');
  process.exitCode = 1;
} else {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  if (!buildLibrary()) process.exitCode = 1;
}
