import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { runClient } from '../examples/tcp-service/client.js';
import { BLOCK } from '../examples/tcp-service/protocol.js';
import { sharesOf } from '../examples/tcp-service/shares.js';
import { type Ended, run } from './child.js';

const MAIN = fileURLToPath(new URL('../examples/tcp-service/main.js', import.meta.url));
const RECORD = '{"id":1,"values":[2,-5],"text":"né"}\n';
const REPLY = '{"id":1,"sum":-3,"chars":2,"bytes":37}\n';

/** `main.js --serve` in a process of its own. */
class Service {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  #output = { stdout: '', stderr: '' };
  port = 0;

  constructor(options: string[]) {
    const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
    this.#child = spawn(process.execPath, [MAIN, '--serve', ...options], { env });
    for (const name of ['stdout', 'stderr'] as const) {
      this.#child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        this.#output[name] += chunk;
      });
    }
    this.ended = once(this.#child, 'close').then(([code, signal]) => ({ code, signal, ...this.#output }));
    onTestFinished(() => this.signal('SIGKILL'));
  }

  static async start(...options: string[]): Promise<Service> {
    const service = new Service(options);
    await service.says(/listening on 127\.0\.0\.1:(\d+)/);
    service.port = Number(/:(\d+)/.exec(service.#output.stdout)?.[1]);
    return service;
  }

  async says(words: RegExp): Promise<void> {
    while (!words.test(this.#output.stdout)) {
      await Promise.race([once(this.#child.stdout as NodeJS.EventEmitter, 'data'), this.ended]);
      if (this.#child.exitCode !== null) throw new Error(`it ended: ${this.#output.stderr}`);
    }
  }

  connect(): Socket {
    return connect({ port: this.port, host: '127.0.0.1', allowHalfOpen: true });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  stop(): Promise<Ended> {
    this.signal('SIGTERM');
    return this.ended;
  }
}

/** Sends it all, and says that this was all; what came back. */
async function talk(socket: Socket, ...parts: string[]): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(socket, 'end');
  for (const part of parts) {
    socket.write(part);
    await new Promise(setImmediate);
  }
  socket.end();
  await ended;
  return Buffer.concat(chunks).toString();
}

const clients = new BufferPool({ name: 'test clients' });
afterEach(() => clients.assertNoLeaks());

/** A client that checks each of its replies. */
const runs = (port: number, seed = 1, records = 500) => runClient(clients, { port, seed, records });

function expectCleanEnd(ended: Ended): void {
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(ended.stdout).toMatch(/^pool tcp-service: .* nothing out$/m);
}

describe('server and clients in one process', () => {
  test('each reply is as expected, and nothing is left out', async () => {
    const ended = await run(MAIN, ['--connections', '6', '--records', '2001', '--workers', '3']);
    expectCleanEnd(ended);
    expect(ended.stdout).toContain('6 connections: 12006 records, ');
    expect(ended.stdout).toMatch(/^served 6 connections, 12006 records; refused 0;/m);
    expect(ended.stdout).toMatch(/^pool clients: .* nothing out$/m);
  });

  test('a budget of hardly any blocks: everyone waits, and everyone is served', async () => {
    const ended = await run(MAIN, ['--connections', '24', '--records', '800', '--workers', '2', '--budget', '144']);
    expectCleanEnd(ended);
    expect(ended.stdout).toMatch(/^served 24 connections, 19200 records; .*stopped reading [1-9]/m);
    expect(ended.stdout).toMatch(/waited for a block [1-9]/);
    expect(ended.stdout).toMatch(/ 0\.1 of 0\.1 MiB resident/);
  });

  test.each([
    [['--budget', '100'], /the budget is too small for 2 workers: expected at least 147456 bytes, got 102400/],
    [['--workers', 'many'], /--workers: expected a whole number from 1 to 32, got "many"/],
    [
      ['--max-record', '1', '--connections', '1', '--records', '2000'],
      /client 1: expected \{"id":\d+,.*got \{"error":/,
    ],
  ])('%j: code 1, and why', async (options, message) => {
    const ended = await run(MAIN, options);
    expect(ended).toMatchObject({ code: 1, signal: null, stderr: expect.stringMatching(message) });
    expect(ended.stderr).not.toContain('    at ');
  });
});

test('blocks are shared out so that there is always one to reply in', () => {
  for (let workers = 1; workers <= 32; workers++) {
    for (let size = 2 ** 17; size < 2 ** 28; size = Math.floor(size * 1.37)) {
      let shares: ReturnType<typeof sharesOf>;
      try {
        shares = sharesOf(size, workers);
      } catch (error) {
        const [enough] = /\d{5,}/.exec((error as Error).message) as RegExpExecArray;
        shares = sharesOf(Number(enough), workers);
      }
      const { blocks, filling, queue } = shares;
      expect(Math.log2(queue) % 1).toBe(0);
      expect(filling).toBeGreaterThan(0);
      expect(blocks - filling - workers * (queue + 1)).toBeGreaterThanOrEqual(workers);
    }
  }
  expect(() => sharesOf(BLOCK, 1)).toThrow('expected at least 81920 bytes');
});

// Elsewhere a signal ends a process without asking it.
describe.skipIf(process.platform === 'win32')('a service of its own', () => {
  test('SIGTERM: clients may finish; a second one: who has not is hung up on; code 0', async () => {
    const service = await Service.start('--grace', '3600000');
    const [silent, busy] = [service.connect(), service.connect()];
    busy.write(RECORD.slice(0, 5));
    await Promise.all([once(silent, 'connect'), once(busy, 'connect'), runs(service.port)]);
    service.signal('SIGTERM');
    await service.says(/SIGTERM: shutting down, 2 connections open/);
    expect(await talk(busy, RECORD.slice(5))).toBe(REPLY);
    const hungUp = once(silent.resume(), 'end');
    service.signal('SIGTERM');
    await hungUp;
    silent.end();
    expectCleanEnd(await service.ended);
  });

  test('SIGINT: who has not finished when the grace is over is hung up on, code 0', async () => {
    const service = await Service.start('--grace', '50');
    const silent = service.connect();
    expect(await talk(service.connect(), RECORD)).toBe(REPLY);
    const hungUp = once(silent.resume(), 'end');
    service.signal('SIGINT');
    await hungUp;
    silent.end();
    expectCleanEnd(await service.ended);
  });

  test('clients that never read take all blocks: they are hung up on, and the others go on', async () => {
    const service = await Service.start('--budget', '144', '--stall', '100');
    const slow = new Set(Array.from({ length: 4 }, () => service.connect()));
    for (const socket of slow) {
      socket.on('error', () => {}).on('close', () => slow.delete(socket));
      socket.pause().write(RECORD.repeat(200_000));
    }
    // Otherwise these would wait for ever for the blocks with the slow ones' replies.
    for (let seed = 1; slow.size > 0; seed++) {
      await runs(service.port, seed, 100);
      // Who does not read finds out by writing.
      for (const socket of slow) socket.write('\n');
    }
    expectCleanEnd(await service.stop());
  });

  test('clients that vanish midway: the others are served, and nothing is left out', async () => {
    const service = await Service.start('--budget', '1024');
    const checked = [runs(service.port, 1, 2000), runs(service.port, 2, 2000)];
    const vanish = async (i: number) => {
      const socket = service.connect().on('error', () => {});
      await once(socket, 'connect');
      // Within a record, with replies under way that nobody reads.
      socket.write(RECORD.repeat(i * 200) + RECORD.slice(0, i));
      if (i % 3 === 0) await once(socket, 'readable');
      else await new Promise(setImmediate);
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    };
    await Promise.all(Array.from({ length: 30 }, (_, i) => vanish(i + 1)));
    await Promise.all(checked);
    expect(await talk(service.connect(), RECORD)).toBe(REPLY);
    const ended = await service.stop();
    expectCleanEnd(ended);
    expect(ended.stdout).toContain('served 33 connections, ');
  });

  test('a client that sends and does not read holds nobody up, and gets all its replies in the end', async () => {
    const service = await Service.start('--budget', '2048');
    const slow = service.connect();
    const count = 250_000;
    slow.write(RECORD.repeat(count));
    slow.pause();
    await Promise.all([runs(service.port, 1), runs(service.port, 2), runs(service.port, 3)]);
    let bytes = 0;
    slow.on('data', (chunk) => {
      bytes += chunk.length;
    });
    slow.resume();
    slow.end();
    await once(slow, 'end');
    expect(bytes).toBe(count * REPLY.length);
    const ended = await service.stop();
    expectCleanEnd(ended);
    expect(ended.stdout).toMatch(/stopped reading [1-9]/);
  });

  test('a malformed record: the replies before it, then what is wrong, then the end', async () => {
    const service = await Service.start();
    const bad = [
      ['{"id":1,', 'a record is not JSON'],
      ['null', 'a record is not an object'],
      ['[]', "a record's id is not a whole number"],
      ['{"id":7,"values":3,"text":""}', 'the values of record 7 are not an array'],
      ['{"id":7,"values":[1.5],"text":""}', 'the values of record 7 do not add up to a whole number'],
      ['{"id":7,"values":[]}', 'the text of record 7 is not a string'],
    ] as const;
    for (const [line, error] of bad) {
      const expected = `${REPLY}${JSON.stringify({ error })}\n`;
      expect(await talk(service.connect(), RECORD, `${line}\n${RECORD}`, RECORD)).toBe(expected);
      // The last line, without a newline.
      expect(await talk(service.connect(), RECORD, '\n\n', line)).toBe(expected);
    }
    await runs(service.port);
    const ended = await service.stop();
    expectCleanEnd(ended);
    expect(ended.stdout).toContain(`refused ${2 * bad.length};`);
  });

  test('a record that is too long is refused before it is all there; the longest is not', async () => {
    const service = await Service.start('--max-record', '40');
    const longest = 40 * 1024;
    const padded = (length: number) => `{"id":1,"values":[],"text":"${'x'.repeat(length - 30)}"}`;
    const reply = `{"id":1,"sum":0,"chars":${longest - 30},"bytes":${longest}}\n`;
    const error = `{"error":"a record is longer than ${longest} bytes"}\n`;
    expect(await talk(service.connect(), `${padded(longest)}\n${padded(longest)}`)).toBe(reply + reply);
    expect(await talk(service.connect(), RECORD, `${padded(longest + 1)}\n`)).toBe(REPLY + error);

    const endless = service.connect().on('error', () => {});
    const told = once(endless, 'data');
    endless.write('x'.repeat(longest + 1));
    expect(String(await told)).toBe(error);
    endless.end();
    await runs(service.port);
    expectCleanEnd(await service.stop());
  });
});
