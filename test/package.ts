import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Binary, loadBinary } from '../dist/binary.js';

export const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
export const HERE = `${process.platform}-${process.arch}`;
export const BINARY = process.platform === 'linux' ? `slabpool.${isMusl() ? 'musl' : 'glibc'}.node` : 'slabpool.node';

function isMusl(): boolean {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined;
}

/** The binary that the tests run on. */
export function builtBinary(): string {
  return (loadBinary() as Binary).path;
}

/** Packs what is published, into `folder`, with the binary of this platform as it is now. @returns the tarball's path */
export function pack(folder: string, binary: string | null = builtBinary()): string {
  const staged = join(folder, 'staged');
  mkdirSync(staged, { recursive: true });
  const files = ['dist', 'lib', 'native', 'prebuilds', 'package.json', 'README.md', 'LICENSE', 'binding.gyp'];
  for (const part of files) cpSync(join(PACKAGE, part), join(staged, part), { recursive: true });
  place(staged, binary);
  // Scripts of the package would build dist/ again, under the other tests.
  const args = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
  return join(folder, execFileSync('npm', args, { cwd: staged, encoding: 'utf8' }).trim());
}

/** A binary of this platform where a package has it, alone or not at all. @returns its path there */
export function place(root: string, binary: string | null): string {
  const platform = join(root, 'prebuilds', HERE);
  mkdirSync(platform, { recursive: true });
  const placed = join(platform, BINARY);
  if (binary === null) return placed;
  copyFileSync(binary, placed);
  const content = readFileSync(binary);
  const made = { bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  writeFileSync(join(root, 'prebuilds/manifest.json'), JSON.stringify({ [`${HERE}/${BINARY}`]: made }));
  return placed;
}
