// Other releases of Node.js to test against, from the npm registry into .runtimes/.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './run.js';

const RELEASES = [22, 24, 26];

/** @returns {{ name: string, execPath: string }[]} */
export function installRuntimes() {
  const folder = join(root, '.runtimes');
  const runtimes = RELEASES.map((release) => ({
    name: `Node ${release}`,
    package: `node${release}@npm:node-${process.platform}-${process.arch}@${release}`,
    execPath: join(folder, 'node_modules', `node${release}`, 'bin', 'node'),
  }));
  const missing = runtimes.filter(({ execPath }) => !existsSync(execPath));
  if (missing.length > 0) {
    console.log(`Installing ${missing.map(({ name }) => name).join(', ')} into .runtimes/ ...`);
    mkdirSync(folder, { recursive: true });
    // A package of its own, so that npm does not take the project above for the place to install to.
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
    // All of them: npm would remove those that it is not told of.
    const args = ['install', '--no-save', '--ignore-scripts', ...runtimes.map((runtime) => runtime.package)];
    if (!run('npm', args, { cwd: folder })) throw new Error('npm cannot install the runtimes');
  }
  return runtimes;
}
