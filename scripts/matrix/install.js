// The package as strangers get it: from a tarball, by each package manager, whatever that may run, with and without a binary for this
// platform and a compiler. No registry is asked, but for what builds the addon.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { BINARY, HERE, pack } from '../package.js';
import { ensureNpm, root } from '../run.js';
import { installRuntimes } from '../runtimes.js';
import { Cases, inFolder, output } from './cases.js';
import { ALLOWED, BLOCKED, MANAGERS } from './managers.js';
import { Project } from './project.js';

const FOLDER = '.tools/install';
const modules = join(root, FOLDER, 'node_modules');
/** The first release of each line that `engines` admits, and the last one that it does not. */
const FIRST = ['20.19.0', '22.12.0'];
const TOO_OLD = '22.11.0';
const PROGRAMS = ['smoke.mjs', 'smoke.cjs'].map((name) => join(root, 'scripts', name));
const ANY_CHARACTERS = "100 % naïve #1, that's it";

/** One of each kind: it takes most of the time, and the folders of the others look the same. */
const BUILDS = ['npm 12', 'pnpm 12', 'Yarn 1', 'Yarn 4, pnp', 'Bun'];

/** What a manager says when it has done as it was told. */
const AS_TOLD = /^\W*(YN0085: \W+)?\+ slabpool\b|^warning Ignored scripts due to flag\.$/;
/** But not "Building fresh packages" and "Done with warnings", which are of no package. */
const REMARK = /slabpool|\b(warn|warning|err|error|ERR_\w+|gyp|scripts?|builds?|built|blocked|deprecated)\b/i;
/** How managers put that a package has scripts: that they fail, are not run, or have to be. */
const SCRIPT = /\b(install scripts?|build scripts?|command failed|must be built|blocked|exited with)\b/i;
const NATIVE = 'native core: the native addon is loaded';
const NO_BINARY = `js core: there is no native addon for ${HERE} \\(.*${BINARY}: .*no such file.*slabpool build.*`;
const IN_ARCHIVE = /^js core: the native addon does not load on this system: .*\.zip\/.*: cannot open/m;

/** @typedef {(name: string, policy: string, what: string, slabpool: string, use: (project: Project) => void, folder?: string) => Promise<void>} Check */

/** @param {Cases} cases */
export async function run(cases) {
  const first = FIRST.map((version) => `node-${version}`);
  ensureNpm(
    FOLDER,
    [
      ...new Set(MANAGERS.map(({ spec }) => spec)),
      ...FIRST.map((version, i) => `${first[i]}@npm:node-${HERE}@${version}`),
    ],
    [...MANAGERS.map(({ file }) => file), ...first.map((name) => `${name}/bin/node`)],
  );
  const runtimes = installRuntimes().map(({ execPath }) => execPath);
  const nodes = [...first.map((name) => join(modules, name, 'bin/node')), ...runtimes];

  /** @type {Check} */
  const check = (name, policy, what, slabpool, use, folder = 'project') =>
    cases.check(`${name}, ${policy}: ${what}`, () =>
      inFolder((parent) => {
        const manager = MANAGERS.find((one) => one.name === name);
        if (manager === undefined) throw new Error('there is no such package manager');
        const at = join(parent, folder);
        mkdirSync(at);
        const node = manager.newer === true ? /** @type {string} */ (runtimes[1]) : process.execPath;
        use(new Project(at, manager, join(modules, manager.file), node, policy, slabpool));
      }),
    );

  await inFolder(async (folder) => {
    const complete = `file:${pack(join(folder, 'complete'))}`;
    const sources = `file:${pack(join(folder, 'sources'), null)}`;
    await everywhere(check, complete, sources, `file:${packScripted(join(folder, 'scripted'))}`, nodes);
    await corners(check, complete, folder);
  });
}

/**
 * @param {Check} check
 * @param {string} complete the package @param {string} sources without a binary for this platform
 * @param {string} scripted one with an install script
 * @param {readonly string[]} nodes that it has to run on
 */
async function everywhere(check, complete, sources, scripted, nodes) {
  for (const { name, policies } of MANAGERS) {
    for (const policy of Object.keys(policies)) {
      await check(name, policy, 'silent, native', complete, works);
      if (policy === BLOCKED) continue;
      await check(name, policy, 'an install script would be noticed', scripted, (project) => {
        refused(SCRIPT, () => silent(project.install()));
      });
    }
    await check(name, ALLOWED, `native on ${nodes.length} releases of Node`, complete, (project) => {
      project.install();
      for (const node of nodes) runs(project, 'native', NATIVE, node);
    });
    await check(name, ALLOWED, 'silent, native in a folder of any name', complete, works, ANY_CHARACTERS);
    await check(name, ALLOWED, 'no binary, no compiler: silent, TypeScript core', sources, cannotBuild);
    if (!BUILDS.includes(name)) continue;
    await check(name, ALLOWED, 'no binary: silent, TypeScript core; native once built', sources, builds);
  }
}

/** @param {Check} check @param {string} complete @param {string} folder */
async function corners(check, complete, folder) {
  const unpacked = join(folder, 'unpacked');
  mkdirSync(unpacked);
  output('tar', ['-xzf', complete.slice('file:'.length), '--strip-components=1', '-C', unpacked]);
  for (const [name, spec] of Object.entries({ 'npm 11': 'file:', 'pnpm 12': 'link:', 'Yarn 1': 'link:' })) {
    await check(name, ALLOWED, 'native from a folder that is linked to', `${spec}${unpacked}`, works);
  }

  // Yarn unpacks what has binaries in it, unless it is told not to.
  await check('Yarn 4, pnp', ALLOWED, 'in an archive: TypeScript core, with a warning', complete, (project) => {
    project.install({ manifest: { dependenciesMeta: { slabpool: { unplugged: false } } } });
    const said = project.program(join(root, 'scripts/smoke.mjs'), ['js']);
    for (const pattern of [IN_ARCHIVE, /^\d+ passed, 0 failed$/m, /SlabPoolWarning: .* TypeScript core instead\b/m]) {
      if (!pattern.test(said)) throw new Error(said);
    }
  });

  const strict = { 'npm 10': ['--engine-strict'], 'npm 11': ['--engine-strict'], 'Yarn 1': [] };
  for (const [name, args] of Object.entries(strict)) {
    const [, admitted = ''] = FIRST;
    await check(name, ALLOWED, `refused on Node ${TOO_OLD}, and not on ${admitted}`, complete, (project) => {
      refused(/"\^20\.19\.0 \|\| >=22\.12\.0"/, () => project.install({ args, env: pretending(folder, TOO_OLD) }));
      silent(project.install({ args, env: pretending(folder, admitted) }));
    });
  }
}

/** Has a manager believe that this is another Node. @param {string} folder @param {string} version */
function pretending(folder, version) {
  const file = join(folder, `pretend-${version}.cjs`);
  const versions = `{ ...process.versions, node: '${version}' }`;
  const values = `{ version: { value: 'v${version}' }, versions: { value: ${versions} } }`;
  writeFileSync(file, `Object.defineProperties(process, ${values});\n`);
  return { NODE_OPTIONS: `--require=${file}` };
}

/** @param {Project} project */
function works(project) {
  silent(project.install());
  runs(project, 'native', NATIVE);
}

/** @param {Project} project */
function lacksBinary(project) {
  silent(project.install());
  runs(project, 'js', NO_BINARY);
  const asked = /npm install --save-dev (node-addon-api@8.*)/;
  const [, packages = ''] = asked.exec(refused(asked, () => project.exec('slabpool', 'build'))) ?? [];
  const also = pinned(packages.split(' ').map((name) => name.replace(/@8$/, '')));
  project.install({ also, registry: output('npm', ['config', 'get', 'registry']).trim() });
}

/** @param {Project} project */
function cannotBuild(project) {
  project.hideCompilers();
  lacksBinary(project);
  refused(/It needs Python, make and a C\+\+20 compiler/, () => project.exec('slabpool', 'build'));
  runs(project, 'js', NO_BINARY);
}

/** @param {Project} project */
function builds(project) {
  lacksBinary(project);
  project.exec('slabpool', 'build');
  runs(project, 'native', NATIVE);
  const report = project.exec('slabpool', 'doctor');
  if (!/built on this machine/.test(report)) throw new Error(report);
}

/**
 * Runs the programs that show that it works.
 * @param {Project} project
 * @param {'native' | 'js'} kind
 * @param {string} says a pattern for what is printed about the core
 * @param {string} [node]
 */
function runs(project, kind, says, node) {
  for (const program of PROGRAMS) {
    const said = project.program(program, [kind], node);
    if (!RegExp(`^${says}(\\n\\d+ passed, 0 failed)?$`, 'i').test(said)) throw new Error(`${program}:\n${said}`);
  }
}

/** Throws if a manager had anything to say of packages but that they were added. @param {string} said */
function silent(said) {
  if (said.split('\n').some((line) => REMARK.test(line) && !AS_TOLD.test(line))) throw new Error(`it said:\n${said}`);
}

/** @param {RegExp} because @param {() => unknown} run @returns {string} what was said */
function refused(because, run) {
  /** @type {unknown} */
  let error;
  try {
    run();
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new Error('nothing was refused');
  if (!because.test(String(error))) throw error;
  return String(error);
}

/** A package by our name that has what ours must not. @param {string} folder @returns {string} its tarball */
function packScripted(folder) {
  mkdirSync(folder);
  const scripts = { install: 'node --eval "process.exit(1)"' };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'slabpool', version: '0.1.0', scripts }));
  return join(folder, output('npm', ['pack', '--silent'], { cwd: folder }).trim());
}

/** In the versions that we build with. @param {readonly string[]} names @returns {Record<string, string>} */
function pinned(names) {
  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.fromEntries(names.map((name) => [name, devDependencies[name]]));
}
