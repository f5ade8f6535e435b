// The binaries in the package on the systems that they are for, as far as these can be had on a linux-x64.
import { strict as assert } from 'node:assert';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.js';
import { Cases, inFolder } from './cases.js';
import { SYSTEMS } from './systems.js';

const PROGRAMS = ['smoke.mjs', 'matrix/loaded.mjs'];

/** @param {Cases} cases @param {string} [beginning] of the names of those to run on */
export async function run(cases, beginning = '') {
  for (const system of SYSTEMS.filter(({ name }) => name.startsWith(beginning))) {
    await inFolder(async (folder) => {
      const installed = join(folder, 'node_modules/slabpool');
      for (const part of ['dist', 'require', 'prebuilds', 'package.json'])
        cpSync(join(root, part), join(installed, part), { recursive: true });
      for (const program of PROGRAMS) cpSync(join(root, 'scripts', program), join(folder, program));
      for (const runtime of system.runtimes(folder)) {
        await cases.check(`${system.name}, ${runtime.name}: smoke`, () => {
          assert.match(runtime.run(['smoke.mjs', 'native']), /^native core: .*\n[1-9]\d+ passed, 0 failed\s*$/m);
        });
        await cases.check(`${system.name}, ${runtime.name}: the one right binary is loaded, and stays`, () => {
          loaded(system, runtime);
        });
      }
    });
  }
}

/** @param {import('./systems.js').System} system @param {import('./systems.js').Runtime} runtime */
function loaded({ binary, libc, page }, runtime) {
  const printed = runtime.run(['matrix/loaded.mjs']);
  const found = JSON.parse(/^\{.*\}$/m.exec(printed)?.[0] ?? 'null');
  const libraries = found.libraries.map((/** @type {string} */ path) => path.replaceAll('\\', '/'));
  const ours = libraries.filter((/** @type {string} */ path) => path.endsWith('.node'));
  assert.equal(ours.length, 1, `loaded: ${ours}`);
  assert.ok(ours[0].endsWith(`/slabpool/prebuilds/${binary}`), ours[0]);
  assert.ok(
    libraries.some((/** @type {string} */ path) => libc.test(path)),
    `no ${libc} among ${libraries.join('\n')}`,
  );
  const { platform, arch, kinds } = found;
  assert.deepEqual(
    { platform: `${platform}-${arch}`, kinds, page: found.page },
    { platform: binary.split('/')[0], kinds: ['native', 'native'], page },
  );
}
