import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

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
  /** What it reads from its standard input, which ends then. Default: nothing, and it stays open. */
  readonly input?: string;
}

export function fixture(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));
}

/** Runs a script with this Node, in a process of its own. */
export function run(
  script: string,
  args: readonly string[],
  { execArgv = [], env = {}, input }: Options = {},
): Promise<Ended> {
  // Options of the test runner are not the child's.
  const { NODE_OPTIONS: _, VITEST: __, ...inherited } = process.env;
  const child = spawn(process.execPath, [...execArgv, script, ...args], { env: { ...inherited, ...env } });
  // It may end without having read it.
  if (input !== undefined) child.stdin.on('error', () => {}).end(input);
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

/** A command that runs until it is told to end. */
export class Running {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';

  constructor(command: string, args: readonly string[]) {
    const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
    this.#child = spawn(command, args, { env });
    let stderr = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      this.stdout += chunk;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({ code, signal, stdout: this.stdout, stderr }));
    onTestFinished(() => {
      this.#child.kill('SIGKILL');
    });
  }

  async says(wanted: RegExp): Promise<RegExpMatchArray> {
    for (;;) {
      const match = this.stdout.match(wanted);
      if (match !== null) return match;
      await Promise.race([
        once(this.#child.stdout as NodeJS.EventEmitter, 'data'),
        this.ended.then(({ stderr }) => Promise.reject(new Error(`ended: ${stderr}`))),
      ]);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  types(text: string): void {
    this.#child.stdin?.write(text);
  }

  hangUp(): void {
    this.#child.stdout?.destroy();
  }
}
