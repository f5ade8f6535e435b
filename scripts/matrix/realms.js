// The checks of test/realms where the globals are not Node's: under Jest, in jsdom and in its own `node:vm` context, with ES modules and
// with CommonJS; and with sinon's fake timers.
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { builtBinary, place } from '../package.js';
import { ensureNpm, root } from '../run.js';
import { Cases, inFolder } from './cases.js';

const FOLDER = '.realms';
const PACKAGES = ['jest@30', 'jest-environment-jsdom@30', 'jest-environment-node@30', 'sinon@22'];
const ENVIRONMENTS = ['jsdom', 'node'];

/** @typedef {{ flags: readonly string[], config: object }} Project */

/** As they are. @type {Project} */
const ES_MODULES = {
  flags: ['--experimental-vm-modules'],
  config: {
    rootDir: root,
    testMatch: ['<rootDir>/test/realms/jest.mjs'],
    moduleNameMapper: {
      '^slabpool$': '<rootDir>/dist/index.js',
      '^slabpool/object$': '<rootDir>/dist/object/object.js',
    },
    moduleFileExtensions: ['js', 'mjs'],
  },
};

/** @param {Cases} cases */
export async function run(cases) {
  ensureNpm(
    FOLDER,
    PACKAGES,
    PACKAGES.map((name) => name.replace(/@\d+$/, '')),
  );
  await inFolder((folder) => {
    const projects = Object.entries({ 'ES modules': ES_MODULES, 'CommonJS, without flags': commonJs(folder) });
    for (const [name, project] of projects) {
      for (const environment of ENVIRONMENTS) jest(cases, `Jest, ${environment}, ${name}`, environment, project);
    }
  });
  sinon(cases);
}

/** As compilers leave it, with slabpool installed: what most programs have under Jest. @param {string} folder @returns {Project} */
function commonJs(folder) {
  const installed = join(folder, 'node_modules/slabpool');
  for (const part of ['dist', 'require', 'package.json'])
    cpSync(join(root, part), join(installed, part), { recursive: true });
  place(installed, builtBinary());
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 };
  for (const name of ['checks', 'jest']) {
    const source = readFileSync(join(root, `test/realms/${name}.mjs`), 'utf8');
    const { outputText } = ts.transpileModule(source.replaceAll('.mjs', '.cjs'), { compilerOptions });
    writeFileSync(join(folder, `${name}.cjs`), outputText);
  }
  return {
    flags: [],
    config: { rootDir: folder, testMatch: ['<rootDir>/jest.cjs'], moduleFileExtensions: ['js', 'cjs'] },
  };
}

/** @param {Cases} cases @param {string} name @param {string} environment @param {Project} project */
function jest(cases, name, environment, { flags, config }) {
  const modules = join(root, FOLDER, 'node_modules');
  const options = {
    ...config,
    testEnvironment: join(modules, `jest-environment-${environment}/build/index.js`),
    modulePaths: [modules],
    transform: {},
  };
  const script = join(modules, 'jest/bin/jest.js');
  const args = [...flags, '--no-warnings', script, '--runInBand', '--json', '--config', JSON.stringify(options)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  process.stdout.write(status === 0 ? '' : stderr);
  const { numPassedTests, numFailedTests } = JSON.parse(stdout);
  cases.add(name, numPassedTests, status === 0 ? 0 : Math.max(1, numFailedTests));
}

/** @param {Cases} cases */
function sinon(cases) {
  const script = join(root, 'test/realms/sinon.mjs');
  const { status, stdout } = spawnSync(process.execPath, ['--test-reporter=tap', script], { encoding: 'utf8' });
  process.stdout.write(status === 0 ? '' : stdout);
  const figure = (/** @type {string} */ name) => Number(stdout.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  cases.add('sinon', figure('pass'), status === 0 ? 0 : Math.max(1, figure('fail')));
}
