// Package managers: how each is called, and what it can be told about the scripts of packages.
import { BUN, nameOf } from './tools.js';

/** What every manager can be told; some do a third thing if they are told nothing. */
export const ALLOWED = 'scripts allowed';
export const BLOCKED = 'scripts blocked';
const BY_DEFAULT = 'told nothing';

const HERE = `${process.platform}-${process.arch}`;

/**
 * What a project says to its manager.
 * @typedef {object} Policy
 * @property {readonly string[]} [args]
 * @property {Readonly<Record<string, string>>} [files] of the project
 * @property {Readonly<Record<string, unknown>>} [manifest] in its package.json
 */

/**
 * @typedef {object} Manager
 * @property {string} name
 * @property {string} spec of its package, by an alias
 * @property {string} file below node_modules: JavaScript, or an executable
 * @property {boolean} [newer] it needs a newer Node than the oldest that we are for
 * @property {readonly string[]} exec before a command of an installed package
 * @property {readonly string[]} [node] before the path of a program, where Node alone would not find the packages
 * @property {Readonly<Record<string, Policy>>} policies
 */

/** @type {Pick<Manager, 'exec' | 'policies'>} */
const NPM = {
  exec: ['exec', '--no', '--'],
  policies: { [ALLOWED]: {}, [BLOCKED]: { args: ['--ignore-scripts'] } },
};

/** @type {Pick<Manager, 'exec' | 'policies'>} */
const PNPM = {
  exec: ['exec'],
  policies: {
    [BY_DEFAULT]: {},
    [ALLOWED]: { files: { 'pnpm-workspace.yaml': 'dangerouslyAllowAllBuilds: true\n' } },
    [BLOCKED]: { args: ['--ignore-scripts'] },
  },
};

/** @param {string} linker @returns {Manager} */
function yarn4(linker) {
  const policy = (/** @type {boolean} */ enableScripts) => {
    const settings = { nodeLinker: linker, enableScripts, enableTelemetry: false, enableImmutableInstalls: false };
    const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`);
    return { files: { '.yarnrc.yml': lines.join('') } };
  };
  return {
    name: `Yarn 4, ${linker}`,
    spec: 'yarn4@npm:@yarnpkg/cli-dist@4.18.1',
    file: 'yarn4/bin/yarn.js',
    exec: ['run'],
    node: ['node'],
    policies: { [ALLOWED]: policy(true), [BLOCKED]: policy(false) },
  };
}

/** @type {readonly Manager[]} */
export const MANAGERS = [
  { name: 'npm 10', spec: 'npm10@npm:npm@10.9.9', file: 'npm10/bin/npm-cli.js', ...NPM },
  { name: 'npm 11', spec: 'npm11@npm:npm@11.21.2', file: 'npm11/bin/npm-cli.js', ...NPM },
  {
    name: 'npm 12',
    spec: 'npm12@npm:npm@12.2.1',
    file: 'npm12/bin/npm-cli.js',
    newer: true,
    exec: NPM.exec,
    policies: {
      [BY_DEFAULT]: {},
      [ALLOWED]: { args: ['--dangerously-allow-all-scripts'] },
      [BLOCKED]: { args: ['--ignore-scripts'] },
    },
  },
  { name: 'pnpm 10', spec: 'pnpm10@npm:pnpm@10.34.8', file: 'pnpm10/bin/pnpm.cjs', ...PNPM },
  { name: 'pnpm 11', spec: 'pnpm11@npm:pnpm@11.28.10', file: 'pnpm11/bin/pnpm.mjs', newer: true, ...PNPM },
  { name: 'pnpm 12', spec: 'pnpm12@npm:pnpm@12.21.0', file: `@pnpm/exe.${HERE}/pnpm`, ...PNPM },
  {
    name: 'Yarn 1',
    spec: 'yarn1@npm:yarn@1.22.22',
    file: 'yarn1/bin/yarn.js',
    exec: ['run', '--silent'],
    policies: NPM.policies,
  },
  yarn4('node-modules'),
  yarn4('pnp'),
  {
    name: 'Bun',
    spec: BUN,
    file: `${nameOf(BUN)}/bin/bun`,
    exec: ['x', '--no-install'],
    policies: {
      [BY_DEFAULT]: {},
      [ALLOWED]: { manifest: { trustedDependencies: ['slabpool'] } },
      [BLOCKED]: { args: ['--ignore-scripts'] },
    },
  },
];
