import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { run } from './child.js';

const root = fileURLToPath(new URL('..', import.meta.url));

test('without the peers the pool itself loads, and an exporter names what is missing', async () => {
  // As installed by somebody who wants neither.
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const modules = join(folder, 'node_modules');
  for (const part of ['dist', 'package.json']) {
    cpSync(join(root, part), join(modules, 'slabpool', part), { recursive: true });
  }
  const script = join(folder, 'script.mjs');
  const load = (specifier: string) => {
    writeFileSync(script, `import * as all from '${specifier}'; console.log(Object.keys(all).join());`);
    return run(script, []);
  };

  expect(await load('slabpool')).toMatchObject({ code: 0, stdout: expect.stringContaining('BufferPool') });
  const missing = (name: string) => ({ code: 1, stderr: expect.stringContaining(`Cannot find package '${name}'`) });
  expect(await load('slabpool/prometheus')).toMatchObject(missing('prom-client'));
  expect(await load('slabpool/opentelemetry')).toMatchObject(missing('@opentelemetry/api'));
});
