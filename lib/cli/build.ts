import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Failure } from './failure.js';

/** Builds the addon from the sources in the package, for this machine alone. */
export function build(): void {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const require = createRequire(join(root, 'package.json'));
  const find = (file: string) => {
    try {
      return require.resolve(file);
    } catch {
      return null;
    }
  };
  // npm brings one along.
  const own = join(dirname(process.env['npm_execpath'] ?? ''), '../node_modules/node-gyp/bin/node-gyp.js');
  const nodeGyp = find('node-gyp/bin/node-gyp.js') ?? (existsSync(own) ? own : null);
  const api = find('node-addon-api/package.json');
  if (api === null || nodeGyp === null) {
    const missing = [...(api === null ? ['node-addon-api@8'] : []), ...(nodeGyp === null ? ['node-gyp'] : [])];
    throw new Failure(`what builds the addon is not there: npm install --save-dev ${missing.join(' ')}`);
  }
  // The package has none, since package managers would take it for a reason to build.
  const project = join(root, 'binding.gyp');
  const ours = !existsSync(project);
  try {
    if (ours) writeFileSync(project, '{ "includes": ["native/addon.gypi"] }\n');
    const { status, error } = spawnSync(process.execPath, [nodeGyp, 'rebuild'], { cwd: root, stdio: 'inherit' });
    if (error !== undefined) throw error;
    if (status !== 0) {
      throw new Failure(
        `node-gyp could not build the addon in ${root}: see above. It needs Python, make and a C++20 compiler`,
      );
    }
  } finally {
    if (ours) rmSync(project, { force: true });
  }
  process.stdout.write(`Built ${join(root, 'build/Release/slabpool.node')}\n`);
}
