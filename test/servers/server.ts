import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_TIMEOUT_MS = 30_000;
/** Whoever asks for any free port gets one from here on, also for a connection, and would be in the way of a restart. */
const EPHEMERAL_FROM = 32_768;
const PORTS_FROM = 20_000;

/** A signal, by what it does to connections: lets them end, ends them, drops them. */
const SIGNALS = { smart: 'SIGTERM', fast: 'SIGINT', immediate: 'SIGQUIT', kill: 'SIGKILL' } as const;
export type StopMode = keyof typeof SIGNALS;

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** What it prints once it takes connections. */
  readonly ready: string;
  /** Ends it when this process is gone. */
  readonly orphan: 'SIGQUIT' | 'SIGKILL';
}

/** A user to run it as, where this process is root's: PostgreSQL refuses to be. */
export class User {
  readonly #ids: { uid: number; gid: number } | undefined;

  constructor(name: string) {
    const id = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
    this.#ids = process.getuid?.() === 0 ? { uid: id('-u'), gid: id('-g') } : undefined;
  }

  /** A new folder below the system's for temporary files, which is this user's. */
  folder(prefix: string): string {
    const folder = mkdtempSync(join(tmpdir(), prefix));
    chmodSync(folder, 0o700);
    if (this.#ids !== undefined) chownSync(folder, this.#ids.uid, this.#ids.gid);
    return folder;
  }

  /** Arguments of setpriv, which becomes what it runs. */
  get privileges(): string[] {
    const ids = this.#ids;
    return ids === undefined ? [] : ['--reuid', `${ids.uid}`, '--regid', `${ids.gid}`, '--clear-groups'];
  }
}

/** One on loopback, with a folder of its own. It ends with this process, whatever becomes of that. */
export class Server {
  readonly port: number;
  readonly #program: Program;
  readonly #folder: string;
  readonly #user: User;
  #process: ChildProcess | undefined;

  constructor(port: number, folder: string, user: User, program: Program) {
    this.port = port;
    this.#folder = folder;
    this.#user = user;
    this.#program = program;
    process.once('exit', () => this.#remove());
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Resolves once it takes connections. */
  async start(): Promise<void> {
    if (this.#process !== undefined) throw new Error('this server runs already');
    const { command, args, ready, orphan } = this.#program;
    const options = [...this.#user.privileges, '--pdeathsig', orphan.slice(3), '--', command, ...args];
    const child = spawn('setpriv', options, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    child.once('exit', () => {
      if (this.#process === child) this.#process = undefined;
    });
    let output = '';
    await new Promise<void>((resolve, reject) => {
      const fail = (what: string) => reject(new Error(`${command} ${what}:\n${output}`));
      const timer = setTimeout(() => fail(`is not ready after ${START_TIMEOUT_MS} ms`), START_TIMEOUT_MS);
      const read = (text: string) => {
        output = (output + text).slice(-10_000);
        if (!output.includes(ready)) return;
        clearTimeout(timer);
        resolve();
      };
      child.stdout.setEncoding('utf8').on('data', read);
      child.stderr.setEncoding('utf8').on('data', read);
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        fail(`ended with ${code ?? signal} before it was ready`);
      });
    });
    // Keeps no test's process.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as unknown as { unref(): void }).unref();
  }

  /** Resolves once it has ended: its connections are gone, and what it kept is in its folder. */
  async stop(mode: StopMode = 'fast'): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    child.ref();
    const ended = once(child, 'exit');
    child.kill(SIGNALS[mode]);
    await ended;
  }

  async restart(mode?: StopMode): Promise<void> {
    await this.stop(mode);
    await this.start();
  }

  /** Does not answer until `resume()`, as a host that has lost its network. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  resume(): void {
    this.#process?.kill('SIGCONT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.resume();
    await this.stop('immediate');
    this.#remove();
  }

  #remove(): void {
    this.#process?.kill('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** One that nobody listens at. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS_FROM + Math.floor(Math.random() * (EPHEMERAL_FROM - PORTS_FROM));
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    probe.close();
    if (free) return port;
  }
}

/** Looks again and again until it is so: for what a server does after its client has gone. */
export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
