import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from './child.js';

// What a newcomer copies from the README runs as it stands.
const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const [parser, oneThread, main, worker, others] = [...readme.matchAll(/```js\n(.*?)```/gs)].map(
  ([, code]) => code as string,
);
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'slabpool-readme-'));
  mkdirSync(join(project, 'node_modules'));
  symlinkSync(root, join(project, 'node_modules/slabpool'), 'junction');
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
});
afterAll(() => rmSync(project, { recursive: true }));

function place(name: string, code: string | undefined): string {
  writeFileSync(join(project, name), code as string);
  return join(project, name);
}

const inProject = (code: string | undefined) =>
  (code as string).replace("'package.json'", JSON.stringify(join(project, 'package.json')));

test('the first example: a parser', async () => {
  const ended = await run(place('parser.mjs', inProject(parser)), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: '19 0\n', stderr: '' });
});

test('the example of leases', async () => {
  const file = place('leases.mjs', inProject(oneThread));
  const ended = await run(file, []);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  expect(ended.stdout).toMatch(/^20 65536\n\d+ 0\n$/);
});

test('the example of threads', async () => {
  place('worker.mjs', worker);
  const ended = await run(place('main.mjs', main), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'filled here\n', stderr: '' });
});

test('the example of the other pools', async () => {
  const ended = await run(place('others.mjs', others), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: 'V SELECT 1\n', stderr: '' });
});

test('the examples of docs/io.md', async () => {
  const page = readFileSync(join(root, 'docs/io.md'), 'utf8');
  const [reader, server] = [...page.matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);
  const ended = await run(place('reader.mjs', inProject(reader)), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: '19\n', stderr: '' });
  const asked = `
    import { connect } from 'node:net';
    server.listen(0, '127.0.0.1', () => {
      const client = connect(server.address().port, '127.0.0.1', () => client.write(Buffer.from([3, 0, 0, 0, 1, 2, 3])));
      client.once('data', (answer) => {
        console.log(answer.toString().trim(), pool.outstanding());
        client.destroy();
        server.close();
      });
    });`;
  const answered = await run(place('server.mjs', server + asked), []);
  expect(answered).toEqual({ code: 0, signal: null, stdout: '3 bytes 0\n', stderr: '' });
});

test('the example of a worker pool in docs/reference.md', async () => {
  const page = readFileSync(join(root, 'docs/reference.md'), 'utf8');
  const [, section] = page.match(/\n## WorkerPool\n(.*?)\n## /s) as RegExpMatchArray;
  const [program, jobs] = [...(section as string).matchAll(/```js\n(.*?)```/gs)].map(([, code]) => code as string);
  place('worker.mjs', jobs);
  const ended = await run(place('main.mjs', program), []);
  expect(ended).toEqual({ code: 0, signal: null, stdout: '65536\n', stderr: '' });
});

test('the example of slabpool size in docs/which-pool.md', async () => {
  const page = readFileSync(join(root, 'docs/which-pool.md'), 'utf8');
  const [, args = ''] = page.match(/```sh\nnpx slabpool (size .*)\n```/) as RegExpMatchArray;
  const [, said = ''] = page.match(/```\n(5,000 a second.*?)```/s) as RegExpMatchArray;
  const { stdout } = await run(join(root, 'dist/cli/main.js'), args.split(' '));
  expect(stdout.startsWith(said)).toBe(true);
});
