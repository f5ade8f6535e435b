// npm run lint: types, TypeScript and JavaScript (biome), C++ (clang-format), comments of what is exported (typedoc). --write: repairs
// what can be repaired.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bin, ensureDebian, ensureNpm, node, root, run } from './run.js';

const write = process.argv.includes('--write');

// Not in the lock file: some registries lack its binaries for other platforms, and `npm ci` then refuses the whole file.
ensureNpm('.tools', ['@biomejs/biome@2.6.8'], ['@biomejs/biome/bin/biome']);
const biome = '.tools/node_modules/@biomejs/biome/bin/biome';
ensureDebian(existsSync('/usr/bin/clang-format') || process.platform !== 'linux', ['clang-format']);
const cpp = ['native', 'bench'].flatMap((folder) =>
  /** @type {string[]} */ (readdirSync(join(root, folder), { recursive: true }))
    .filter((name) => /\.(cc|h)$/.test(name))
    .map((name) => join(folder, name)),
);

const passed = [
  ['tsconfig.build.json', 'tsconfig.json', 'test/browser/tsconfig.json'].every((file) => node(bin.tsc, ['-p', file])),
  node(biome, ['check', '--error-on-warnings', ...(write ? ['--write'] : [])]),
  run('clang-format', write ? ['-i', ...cpp] : ['--dry-run', '--Werror', ...cpp]),
  node(bin.typedoc, ['--emit', 'none', '--logLevel', 'Warn']),
];
process.exitCode = passed.every(Boolean) ? 0 : 1;
