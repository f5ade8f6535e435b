import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { fixture, Running, run } from './child.js';

const example = (name: string) => fileURLToPath(new URL(`../examples/${name}.js`, import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'slabpool-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));

function place(name: string, content: string): string {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
}

/** Also after an error. */
const closing = (stream: NodeJS.EventEmitter) => new Promise((resolve) => stream.once('close', resolve));
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

test('each is one file below 80 lines', () => {
  const files = readdirSync(fileURLToPath(new URL('../examples', import.meta.url))).filter((name) =>
    name.endsWith('.js'),
  );
  const lengths = files.map(
    (name) =>
      readFileSync(example(name.slice(0, -3)), 'utf8')
        .trimEnd()
        .split('\n').length,
  );
  expect(files).toHaveLength(8);
  expect(Math.max(...lengths)).toBeLessThan(80);
});

describe.each([
  ['native', []],
  ['js', ['--no-addons']],
])('on the %s core:', (core, execArgv) => {
  const options = { execArgv };

  test('lines', async () => {
    // Some 600 KB: lines cross blocks, as does what is looked for; one line is longer than a block.
    const all = Array.from(
      { length: 6000 },
      (_, i) => `${i}${'é'.repeat((i * 37) % 60)}${i % 7 === 0 ? ' nädel' : ''}`,
    );
    all[3000] = `${'x'.repeat(300_000)} nädel`;
    const { code, stderr, stdout } = await run(
      example('lines'),
      [place(`${core}.txt`, all.join('\n')), 'nädel'],
      options,
    );
    const found = all.flatMap((line, i) => (line.includes('nädel') ? [`${i + 1}: ${line}`] : []));
    const longest = Math.max(...all.map((line) => Buffer.byteLength(line)));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      [...found, `6000 lines, ${found.length} with "nädel"; the longest has ${longest} bytes\n`].join('\n'),
    );
  });

  test('csv', async () => {
    const rows = Array.from({ length: 30_000 }, (_, i) => ({
      shop: ['a', 'b "x", c', 'ü'][i % 3] as string,
      sold: i % 11,
    }));
    const quoted = (text: string) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = rows.map(({ shop, sold }, i) => `${i},${quoted(shop)},,${sold}`);
    const file = place(`${core}.csv`, ['id,shop,note,sold', ...lines].join('\r\n'));
    const { code, stderr, stdout } = await run(example('csv'), [file, 'shop', 'sold'], options);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const sums = ['a', 'b "x", c', 'ü'].map((shop) => {
      const own = rows.filter((row) => row.shop === shop);
      return `${shop}\t${own.length}\t${own.reduce((sum, { sold }) => sum + sold, 0)}\n`;
    });
    expect(stdout).toBe(sums.join(''));
  });

  test('log-shipper', async () => {
    const all = Array.from({ length: 20_000 }, (_, i) => `${i} ${'ö'.repeat((i * 31) % 40)}`);
    const parts: Uint8Array[] = [];
    const server = createServer((socket) => socket.on('data', (part: Buffer) => void parts.push(part)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, stderr, stdout } = await run(example('log-shipper'), ['127.0.0.1', `${port}`], {
      ...options,
      input: all.join('\n'),
    });
    server.close();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const bytes = Buffer.concat(parts);
    expect(stdout).toBe(`20000 lines, ${bytes.length} bytes\n`);
    const received: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 4 + bytes.readUInt32BE(at);
      let number = 0;
      let shift = 0;
      for (at += 4; ; shift += 7) {
        const byte = bytes[at++] as number;
        number += (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
      received.push(bytes.toString('utf8', at, end));
      expect(number).toBe(received.length);
      at = end;
    }
    expect(received).toEqual(all);
  });

  test('log-shipper: a server that hangs up', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const input = 'a line\n'.repeat(1_000_000);
    const { code, stderr } = await run(example('log-shipper'), ['127.0.0.1', `${port}`], { ...options, input });
    server.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/^log-shipper: .*\n$/);
  });

  test.skipIf(process.platform === 'win32')('upload', async () => {
    const target = mkdtempSync(join(folder, 'uploads-'));
    const args = [...execArgv, example('upload'), target, '0', '2000000', `${256 * 1024}`];
    const service = new Running(process.execPath, args);
    const [, port = ''] = await service.says(/listening on .*:(\d+)\n/);
    const put = (name: string, body: Uint8Array<ArrayBuffer>) =>
      fetch(`http://127.0.0.1:${port}/${name}`, { method: 'PUT', body });
    const bodies = Array.from({ length: 12 }, (_, i) => Buffer.alloc(i * 180_000, `body ${i} `));
    const answers = await Promise.all(
      bodies.map(async (body, i) => {
        const response = await put(`f${i}`, body);
        return [response.status, await response.json()];
      }),
    );
    expect(answers).toEqual(bodies.map((body) => [201, { bytes: body.length, sha256: sha256(body).toString('hex') }]));
    // Too long, as it says itself, or as it turns out; one that is cut off; a name that leads elsewhere.
    const unfinished = (path: string, headers: Record<string, number>, bytes: number) => {
      const sent = request({ port, host: '127.0.0.1', method: 'PUT', path, headers, agent: false });
      sent.on('error', () => {}).flushHeaders();
      if (bytes > 0) sent.write(Buffer.alloc(bytes));
      return sent;
    };
    const [refused] = await once(unfinished('/long', { 'content-length': 2_000_001 }, 0), 'response');
    expect(refused.statusCode).toBe(413);
    refused.resume();
    await closing(unfinished('/endless', {}, 4_000_000));
    const cut = unfinished('/cut', { 'content-length': 500_000 }, 100_000);
    while (!readdirSync(target).some((name) => name.endsWith('.part'))) await new Promise(setImmediate);
    cut.destroy();
    expect((await put('%2e%2e', Buffer.alloc(1))).status).toBe(404);
    service.signal('SIGTERM');
    const ended = await service.ended;
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(ended.stdout).toMatch(/\nnothing out\n$/);
    expect(readdirSync(target).sort()).toEqual(bodies.map((_, i) => `f${i}`).sort());
    for (const [i, body] of bodies.entries()) expect(readFileSync(join(target, `f${i}`)).equals(body)).toBe(true);
  });
});

test('records', async () => {
  const service = new Running(process.execPath, [example('records')]);
  const [, port = ''] = await service.says(/listening on .*"port":(\d+)/);
  const get = async (count: number) => {
    const response = await fetch(`http://127.0.0.1:${port}/${count}`);
    return Buffer.from(await response.arrayBuffer());
  };
  const expected = (count: number) => {
    const frames = Array.from({ length: count }, (_, i) => {
      const name = `sensor-${((i + 1) * 7919) % 1000}`;
      const frame = Buffer.alloc(16 + name.length);
      frame.writeUInt32BE(12 + name.length, 0);
      frame.writeUInt32LE(i + 1, 4);
      frame.writeDoubleLE((i + 1) * 1.25, 8);
      frame.write(name, 16);
      return frame;
    });
    return Buffer.concat(frames);
  };
  for (let round = 0; round < 3; round++) {
    const counts = [0, 1, 10, 1000, 30_000];
    const answers = await Promise.all(counts.map(get));
    for (const [i, answer] of answers.entries()) expect(answer.equals(expected(counts[i] as number))).toBe(true);
  }
  // Somebody who hangs up in the middle.
  const cut = request({ port, host: '127.0.0.1', path: '/100000', agent: false }).end();
  const [response] = await once(cut, 'response');
  await once(response, 'data');
  cut.on('error', () => {}).destroy();
  expect((await fetch(`http://127.0.0.1:${port}/x`)).status).toBe(404);
  expect((await get(5)).equals(expected(5))).toBe(true);
  service.signal('SIGTERM');
  const ended = await service.ended;
  expect(ended).toMatchObject({ code: 0, stderr: '' });
  expect(ended.stdout).toMatch(/\n17 requests, [1-6] encoders\n$/);
});

test('deflate', async () => {
  const lines = Array.from({ length: 500 }, (_, i) => `{"id":${i},"text":"${'äb'.repeat((i * 37) % 300)}"}`);
  const child = spawnSync(process.execPath, [example('deflate')], { input: lines.join('\n') });
  expect([child.status, child.stderr.toString()]).toEqual([0, expect.stringMatching(/^500 lines, [1-8] contexts\n$/)]);
  const found: string[] = [];
  for (let at = 0; at < child.stdout.length; ) {
    const end = at + 4 + child.stdout.readUInt32BE(at);
    found.push(inflateRawSync(child.stdout.subarray(at + 4, end)).toString());
    at = end;
  }
  expect(found).toEqual(lines);
});

test('requests', async () => {
  const bodies = Array.from({ length: 100 }, (_, i) => (i === 50 ? 'x'.repeat(100_000) : 'b'.repeat((i * 97) % 2000)));
  const input = bodies.map((body, i) => `PUT /a/b${i}\nhost: h\nlength: ${body.length}\n\n${body}`).join('');
  const { code, stdout, stderr } = await run(example('requests'), [], { input });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const sum = (body: string) => body.length * (body.charCodeAt(0) || 0);
  const expected = bodies.map(
    (body, i) => `PUT /a/b${i}: 2 segments, 2 headers, ${body.length} bytes, sum ${sum(body)}`,
  );
  const printed = stdout.trimEnd().split('\n');
  expect(printed.pop()).toBe('100 requests, 5 structs, 1 dropped as too large');
  expect(printed.sort()).toEqual(expected.sort());
});

test.each([
  ['lines', [], 2, /^usage: /],
  ['csv', [place('odd.csv', 'a,b\n1,x\n'), 'a', 'b'], 1, /line 2: no number in column b/],
  ['csv', [place('none.csv', 'a,b\n1,2\n'), 'a', 'c'], 1, /expected columns a, c, got a,b/],
])('%s %j: code %i', async (name, args, code, stderr) => {
  expect(await run(example(name), args)).toMatchObject({ code, stderr: expect.stringMatching(stderr) });
});

// Elsewhere a signal ends a process without asking it.
describe.skipIf(process.platform === 'win32')('server', () => {
  const frame = (number: number, body: Uint8Array) => {
    const bytes = Buffer.alloc(8 + body.length);
    bytes.writeUInt32BE(4 + body.length);
    bytes.writeUInt32BE(number, 4);
    bytes.set(body, 8);
    return bytes;
  };

  /** @param options workers, budget, stallMs */
  async function started(options: readonly number[] = [], preload: readonly string[] = []) {
    const args = [...preload, example('server'), '0', ...options.map(String)];
    const server = new Running(process.execPath, args);
    const [, port] = await server.says(/listening on .*"port":(\d+)/);
    const open = () => connect({ port: Number(port), host: '127.0.0.1', allowHalfOpen: true });
    return { server, open };
  }

  /** What comes until the end; then all of it is looked at. */
  async function answersOf(socket: Socket): Promise<Map<number, string>> {
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    const bytes = Buffer.concat(parts);
    const answers = new Map<number, string>();
    for (let at = 0; at < bytes.length; at += 40) {
      expect(bytes.readUInt32BE(at)).toBe(36);
      answers.set(bytes.readUInt32BE(at + 4), bytes.toString('hex', at + 8, at + 40));
    }
    expect(bytes.length).toBe(40 * answers.size);
    return answers;
  }

  const bodiesOf = (count: number, longest: number) =>
    Array.from({ length: count }, (_, i) => Buffer.alloc((i * 7919) % longest, `body ${i}`));

  /** Sends all bodies, and compares what comes back. */
  async function ask(socket: Socket, bodies: readonly Buffer[]): Promise<void> {
    const answers = answersOf(socket);
    for (const [i, body] of bodies.entries()) if (!socket.write(frame(i, body))) await once(socket, 'drain');
    socket.end();
    const expected = bodies.map((body, i) => [i, sha256(body).toString('hex')] as const);
    expect([...(await answers)].sort(([a], [b]) => a - b)).toEqual(expected);
  }

  async function expectCleanEnd(server: Running): Promise<string> {
    const ended = await server.ended;
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.stdout).toMatch(/; nothing out\n$/);
    return ended.stdout;
  }

  test.each([16 * 2 ** 20, 128 * 1024])('a budget of %i bytes: everybody is served', async (budget) => {
    const { server, open } = await started([2, budget]);
    await Promise.all(Array.from({ length: 8 }, (_, i) => ask(open(), bodiesOf(500 + i, 30_000))));
    server.signal('SIGTERM');
    expect(await expectCleanEnd(server)).toContain('served 8 connections, 4028 frames');
  });

  test('workers that are killed are replaced', async () => {
    const { server, open } = await started([2], ['--import', fixture('kill-workers.mjs')]);
    await ask(open(), bodiesOf(50, 1000));
    server.signal('SIGUSR2');
    await server.says(/killed 2/);
    await ask(open(), bodiesOf(500, 5000));
    server.signal('SIGTERM');
    await expectCleanEnd(server);
  });

  test('a worker that is killed at work: the client that misses an answer is hung up on', async () => {
    const { server, open } = await started([1, 2 ** 24, 500], ['--import', fixture('kill-workers.mjs')]);
    const busy = open().on('error', () => {});
    const closed = closing(busy);
    const body = frame(1, Buffer.alloc(1_000_000));
    // It always has work, so that some request dies with the worker.
    const more = () => {
      while (!busy.destroyed && busy.write(body));
    };
    busy.on('drain', more);
    more();
    await Promise.race([once(busy, 'data'), closed]);
    server.signal('SIGUSR2');
    await server.says(/killed 1/);
    busy.off('drain', more).end();
    await closed;
    server.signal('SIGTERM');
    await expectCleanEnd(server);
  });

  test('a client that sends and does not read holds nobody up, and gets all its answers in the end', async () => {
    const { server, open } = await started([2, 2 ** 20, 3_600_000]);
    const slow = open();
    const bodies = bodiesOf(100_000, 8);
    slow.write(Buffer.concat(bodies.map((body, i) => frame(i, body))));
    slow.end();
    await Promise.all([ask(open(), bodiesOf(300, 5000)), ask(open(), bodiesOf(300, 5000))]);
    expect((await answersOf(slow)).size).toBe(bodies.length);
    server.signal('SIGTERM');
    await expectCleanEnd(server);
  });

  test('clients that never read are hung up on', async () => {
    const { server, open } = await started([2, 2 ** 20, 100]);
    const slow = Array.from({ length: 3 }, () => open().on('error', () => {}));
    const many = Buffer.concat(bodiesOf(200_000, 8).map((body, i) => frame(i, body)));
    for (const socket of slow) socket.write(many);
    // Which reads no more than a little.
    const some = (socket: Socket) => new Promise((resolve) => socket.once('readable', resolve));
    await Promise.all(slow.map((socket) => Promise.race([some(socket), closing(socket)])));
    // It ends when nobody is connected any more.
    server.signal('SIGTERM');
    await expectCleanEnd(server);
    for (const socket of slow) socket.destroy();
  });

  test('clients that vanish midway, or send what is no frame', async () => {
    const { server, open } = await started([2, 2 ** 18]);
    const others = [ask(open(), bodiesOf(1000, 5000)), ask(open(), bodiesOf(1000, 5000))];
    const vanish = async (i: number) => {
      const socket = open().on('error', () => {});
      await once(socket, 'connect');
      socket.write(Buffer.concat([...bodiesOf(i * 20, 100).map((body) => frame(i, body)), Buffer.of(0, 0, 200)]));
      if (i % 3 === 0) await once(socket, 'readable');
      if (i % 2 === 0) socket.resetAndDestroy();
      else socket.destroy();
    };
    await Promise.all(Array.from({ length: 20 }, (_, i) => vanish(i + 1)));
    for (const [bytes, message] of [
      [Buffer.of(0, 0, 0, 3), /connection \d+: a frame without a number\n/],
      [Buffer.of(0xff, 0, 0, 0), /connection \d+: .* a record of \d+ bytes or more .* is longer than maxLength/],
      [Buffer.of(0, 0, 0), /connection \d+: .* the input ended within a record/],
    ] as const) {
      const socket = open().on('error', () => {});
      socket.resume().end(bytes);
      await server.says(message);
    }
    await Promise.all(others);
    server.signal('SIGTERM');
    await expectCleanEnd(server);
  });

  test('SIGTERM: clients may finish; a second one hangs up on who has not', async () => {
    const { server, open } = await started();
    const [silent, busy] = [open().on('error', () => {}), open()];
    await Promise.all([once(silent, 'connect'), ask(open(), bodiesOf(5, 100))]);
    server.signal('SIGTERM');
    await server.says(/clients may finish/);
    await ask(busy, bodiesOf(50, 1000));
    server.signal('SIGTERM');
    await expectCleanEnd(server);
    silent.destroy();
  });
});
