// The checks of test/realms where the globals are not Node's: under Jest, in jsdom and in its own `node:vm` context, and with sinon's
// fake timers. What that needs comes from the npm registry into .realms/.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureNpm, root, run } from './run.js';

const FOLDER = '.realms';
const PACKAGES = ['jest@30', 'jest-environment-jsdom@30', 'jest-environment-node@30', 'sinon@22'];

/** @typedef {{ passed: number, failed: number }} Count */

/** @returns {Count[]} */
export function realms() {
  ensureNpm(
    FOLDER,
    PACKAGES,
    PACKAGES.map((name) => name.replace(/@\d+$/, '')),
  );
  return [jest('jsdom'), jest('node'), sinon()];
}

/** @param {'jsdom' | 'node'} environment @returns {Count} */
function jest(environment) {
  const modules = join(root, FOLDER, 'node_modules');
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-jest-'));
  try {
    const report = join(folder, 'report.json');
    const config = {
      rootDir: root,
      testMatch: ['<rootDir>/test/realms/jest.mjs'],
      testEnvironment: join(modules, `jest-environment-${environment}/build/index.js`),
      modulePaths: [modules],
      moduleNameMapper: { '^slabpool$': '<rootDir>/dist/index.js' },
      // ES modules, as they are.
      moduleFileExtensions: ['js', 'mjs'],
      transform: {},
    };
    const args = ['--experimental-vm-modules', '--no-warnings', join(modules, 'jest/bin/jest.js'), '--runInBand'];
    const ok = run(
      process.execPath,
      [...args, '--config', JSON.stringify(config), '--json', `--outputFile=${report}`],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    return { passed: numPassedTests, failed: ok ? 0 : Math.max(1, numFailedTests) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns {Count} */
function sinon() {
  const script = join(root, 'test/realms/sinon.mjs');
  const { status, stdout } = spawnSync(process.execPath, ['--test-reporter=tap', script], { encoding: 'utf8' });
  process.stdout.write(status === 0 ? '' : stdout);
  const figure = (/** @type {string} */ name) => Number(stdout.match(new RegExp(`^# ${name} (\\d+)$`, 'm'))?.[1] ?? 0);
  return { passed: figure('pass'), failed: status === 0 ? 0 : Math.max(1, figure('fail')) };
}
