// Files of the vitest suite on systems that are not this machine's, as far as these can be had on a linux-x64 (platforms.js has the
// smoke tests of all of them): what depends on the system and on the order in which threads see memory.
import { cpSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { ensureNpm, root } from '../run.js';
import { Cases, inFolder } from './cases.js';
import { SYSTEMS } from './systems.js';

const THREADS =
  'members.thread tickets tickets.thread channel.thread channel-lives.thread grants.process exits.process'.split(' ');
/** They need npm, programs of the host, or prom-client not to be there twice: by the link to node_modules and by its target. */
const NOT_ON_WINE = [
  ...['prometheus', 'metrics.thread'],
  ...['demo', 'doctor', 'examples', 'install', 'metrics-example', 'prebuild'].map((name) => `${name}.process`),
];
const ALL = readdirSync(join(root, 'test')).flatMap((name) => name.match(/^(.*)\.test\.ts$/)?.[1] ?? []);
const CORE = [
  ...['core', 'lease', 'budget', 'oversize', 'decay', 'memory', 'prewarm', 'waiting', 'drain', 'channel'],
  ...['decay.thread', 'waiting.thread', 'drain.thread', 'backend.process', 'decay.process'],
];
/** Which files run where, by the beginnings of the names of systems and runtimes; and rolldown's binary for vitest there. */
const PLANS = [
  { system: 'linux-x64, glibc', runtime: 'Node 20', files: [...CORE, ...THREADS], binding: 'linux-x64-gnu' },
  // QEMU orders memory no weaker than this machine does, but it is arm64's code that runs.
  {
    system: 'linux-arm64 (QEMU), glibc 2.31, pages of 4 KiB',
    runtime: 'Node 20',
    files: THREADS,
    binding: 'linux-arm64-gnu',
  },
  {
    system: 'win32-x64',
    runtime: 'Node 24',
    files: ALL.filter((name) => !NOT_ON_WINE.includes(name)),
    binding: 'win32-x64-msvc',
  },
];
/** Milliseconds that a test may take where each instruction is emulated. */
const SLOW = 600_000;
/** The tree without what was built or installed for this machine. */
const LEFT_OUT = ['.git', '.tools', '.runtimes', '.realms', 'build', 'node_modules'];

/** @param {Cases} cases @param {string} [beginning] of the names of systems to run on */
export async function run(cases, beginning = '') {
  for (const { system, runtime, files, binding } of PLANS.filter((plan) => plan.system.startsWith(beginning))) {
    const chosen = SYSTEMS.filter(({ name }) => name.startsWith(system));
    const env = { NAPI_RS_NATIVE_LIBRARY_PATH: rolldown(binding) };
    for (const { name, runtimes } of chosen) {
      await inFolder(async (folder) => {
        cpSync(root, folder, { recursive: true, filter: (path) => !LEFT_OUT.includes(relative(root, path)) });
        symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
        for (const { name: on, run } of runtimes(folder)) {
          if (on !== runtime) continue;
          for (const file of files) {
            await cases.check(`${name}, ${on}: test/${file}.test.ts`, () => {
              const args = ['run', '--maxWorkers=1', `--testTimeout=${SLOW}`];
              run(['node_modules/vitest/vitest.mjs', ...args, `test/${file}.test.ts`], { env, timeout: 3 * SLOW });
            });
          }
        }
      });
    }
  }
}

/** Its binary for another system, which npm leaves out here. @param {string} binding */
function rolldown(binding) {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/rolldown/package.json'), 'utf8'));
  const folder = `.tools/platforms/rolldown-${binding}`;
  const file = `@rolldown/binding-${binding}/rolldown-binding.${binding}.node`;
  ensureNpm(folder, [`@rolldown/binding-${binding}@${version}`], [file], [], ['--force']);
  return join(root, folder, 'node_modules', file);
}
