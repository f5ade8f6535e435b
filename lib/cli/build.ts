import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const require = createRequire(join(root, 'package.json'));

/** Builds the addon from the sources in the package, for this machine alone. */
export function build(): void {
  if (find('node-addon-api/package.json') === null) throw missing('node-addon-api@8');
  // npm brings one along.
  const own = join(dirname(process.env['npm_execpath'] ?? ''), '../node_modules/node-gyp/bin/node-gyp.js');
  const nodeGyp = find('node-gyp/bin/node-gyp.js') ?? (existsSync(own) ? own : null);
  if (nodeGyp === null) throw missing('node-gyp');
  // The package has none, since package managers would take it for a reason to build.
  const project = join(root, 'binding.gyp');
  const ours = !existsSync(project);
  try {
    if (ours) writeFileSync(project, '{ "includes": ["native/addon.gypi"] }\n');
    const { status, error } = spawnSync(process.execPath, [nodeGyp, 'rebuild'], { cwd: root, stdio: 'inherit' });
    if (error !== undefined) throw error;
    if (status !== 0) throw new Failure(`node-gyp could not build the addon in ${root}: see above`);
  } finally {
    if (ours) rmSync(project, { force: true });
  }
  process.stdout.write(`Built ${join(root, 'build/Release/slabpool.node')}\n`);
}

function find(file: string): string | null {
  try {
    return require.resolve(file);
  } catch {
    return null;
  }
}

function missing(what: string): Failure {
  return new Failure(`${what} is needed to build the addon: npm install --save-dev ${what}`);
}
