// Other releases of Node.js, and other runtimes, from the npm registry into .runtimes/ and .tools/hosts/.
import { join } from 'node:path';
import { BUN, DENO, ESBUILD, nameOf, POSTJECT } from './matrix/tools.js';
import { ensureNpm, root } from './run.js';

const RELEASES = [22, 24, 26];
/** Files of tests that ask nothing that depends on the release: it is enough to run them on the oldest and on the last one. */
const ANY_RELEASE = ['cli', 'demo', 'doctor', 'examples', 'install', 'metrics-example', 'page-size', 'prebuild', 'top'];

/** @returns {{ release: number, name: string, execPath: string, leftOut: string[] }[]} what to leave out are names of files, without `.test.ts` */
export function installRuntimes() {
  const files = RELEASES.map((release) => `node${release}/bin/node`);
  const packages = RELEASES.map((release) => `node${release}@npm:node-${process.platform}-${process.arch}@${release}`);
  ensureNpm('.runtimes', packages, files);
  return RELEASES.map((release, i) => ({
    release,
    name: `Node ${release}`,
    execPath: join(root, '.runtimes/node_modules', /** @type {string} */ (files[i])),
    leftOut: release === RELEASES.at(-1) ? [] : ANY_RELEASE.map((file) => `${file}.process`),
  }));
}

const HOSTS = '.tools/hosts';

/** Bun and Deno, and what makes single executables of Node: their paths. */
export function installOthers() {
  const packages = [BUN, DENO, ESBUILD, POSTJECT];
  ensureNpm(HOSTS, packages, packages.map(nameOf));
  const tools = join(root, HOSTS, 'node_modules');
  return { tools, bun: join(tools, nameOf(BUN), 'bin/bun'), deno: join(tools, nameOf(DENO), 'deno') };
}
