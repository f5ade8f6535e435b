// What more than one suite installs.
const linux = process.platform === 'linux';
const arch = process.arch === 'arm64' ? 'aarch64' : process.arch;

export const BUN = `@oven/bun-${process.platform}-${arch}@1.4.5`;
export const DENO = `@deno/${process.platform}-${process.arch}${linux ? '-glibc' : ''}@2.9.6`;
export const ESBUILD = 'esbuild@0.28.2';
export const POSTJECT = 'postject@1.0.0-alpha.6';

/** @param {string} pinned package */
export const nameOf = (pinned) => pinned.replace(/@[^@/]+$/, '');
/** @param {string} pinned package */
export const versionOf = (pinned) => pinned.slice(nameOf(pinned).length + 1);
