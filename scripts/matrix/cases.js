// Cases of a suite that takes longer than a test should, and what came of them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Cases {
  passed = 0;
  failed = 0;

  /** @param {string} name @param {() => void | Promise<void>} run throws unless all is well */
  async check(name, run) {
    try {
      await run();
      this.passed++;
      console.log(`  ok      ${name}`);
    } catch (error) {
      this.failed++;
      console.log(
        `  FAILED  ${name}\n${error instanceof Error ? error.message : error}`.replaceAll('\n', '\n          '),
      );
    }
  }

  /** What another runner counted. @param {string} name @param {number} passed @param {number} failed */
  add(name, passed, failed) {
    this.passed += passed;
    this.failed += failed;
    console.log(`  ${failed === 0 && passed > 0 ? 'ok    ' : 'FAILED'}  ${name}: ${passed} passed, ${failed} failed`);
  }
}

/**
 * Runs a command to its end.
 * @param {string} command @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 * @returns {string} what it printed
 */
export function output(command, args, options) {
  return outputs(command, args, options).stdout;
}

/** @type {(...args: Parameters<typeof output>) => { stdout: string, stderr: string }} */
export function outputs(command, args, options = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(command, args, {
    timeout: 300_000,
    ...options,
    env: { ...clean(process.env), ...options.env },
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (error) throw error;
  if (status === 0) return { stdout, stderr };
  throw new Error(`${command} ${args.join(' ')}: ended with ${status ?? signal}\n${stdout ?? ''}\n${stderr ?? ''}`);
}

/** What npm tells its scripts is not for a package manager in them. @param {NodeJS.ProcessEnv} env */
function clean(env) {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !/^(npm_(package|lifecycle|config_(local|global)_prefix)|NODE_OPTIONS|INIT_CWD)/.test(name),
    ),
  );
}

/** @template T @param {(folder: string) => T | Promise<T>} use @returns {Promise<T>} */
export async function inFolder(use) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'slabpool-matrix-')));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
