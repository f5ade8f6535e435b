// The library's tests, on some runtime.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bin, run } from './run.js';

/**
 * @param {string} execPath
 * @param {readonly string[]} projects of vitest.config.ts
 * @param {readonly string[]} [leftOut] names of files, without `.test.ts`
 * @returns {{ passed: number, failed: number }}
 */
export function vitest(execPath, projects, leftOut = []) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-test-'));
  try {
    const report = join(folder, 'report.json');
    const args = ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    args.push(
      ...projects.map((name) => `--project=${name}`),
      ...leftOut.map((name) => `--exclude=test/${name}.test.ts`),
    );
    const ok = run(execPath, [bin.vitest, ...args]);
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
    // A suite that does not even load counts as one failure.
    return { passed: numPassedTests, failed: ok ? 0 : Math.max(1, numFailedTests) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
