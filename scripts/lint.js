// npm run lint: types, TypeScript and JavaScript (biome), C++ (clang-format). --write: repairs what can be repaired.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bin, ensureDebian, node, root, run } from './run.js';

const write = process.argv.includes('--write');

ensureDebian(existsSync('/usr/bin/clang-format') || process.platform !== 'linux', ['clang-format']);
const cpp = /** @type {string[]} */ (readdirSync(join(root, 'native'), { recursive: true }))
  .filter((name) => /\.(cc|h)$/.test(name))
  .map((name) => join('native', name));
cpp.push(
  ...readdirSync(join(root, 'bench'))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join('bench', name)),
);

const passed = [
  node(bin.tsc, ['-p', 'tsconfig.build.json']) && node(bin.tsc, ['-p', 'tsconfig.json']),
  node(bin.biome, ['check', '--error-on-warnings', ...(write ? ['--write'] : [])]),
  run('clang-format', write ? ['-i', ...cpp] : ['--dry-run', '--Werror', ...cpp]),
];
process.exitCode = passed.every(Boolean) ? 0 : 1;
