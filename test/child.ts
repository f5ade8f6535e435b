import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a child ended: what a crash would show is `signal`, or a `code` that the script did not ask for. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Options {
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** Runs a script with this Node, in a process of its own. */
export function run(
  script: string,
  args: readonly string[],
  { execArgv = [], env = {} }: Options = {},
): Promise<Ended> {
  // Options of the test runner are not the child's.
  const { NODE_OPTIONS: _, VITEST: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [...execArgv, script, ...args], { env: { ...inherited, ...env } });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}
