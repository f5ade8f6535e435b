// Other releases of Node.js to test against, from the npm registry into .runtimes/.
import { join } from 'node:path';
import { ensureNpm, root } from './run.js';

const RELEASES = [22, 24, 26];

/** @returns {{ name: string, execPath: string }[]} */
export function installRuntimes() {
  const files = RELEASES.map((release) => `node${release}/bin/node`);
  const packages = RELEASES.map((release) => `node${release}@npm:node-${process.platform}-${process.arch}@${release}`);
  ensureNpm('.runtimes', packages, files);
  return RELEASES.map((release, i) => ({
    name: `Node ${release}`,
    execPath: join(root, '.runtimes/node_modules', /** @type {string} */ (files[i])),
  }));
}
