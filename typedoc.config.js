// npm run docs: the API reference, in docs/api/. npm run lint fails on what is exported and has no comment.
import { readFileSync } from 'node:fs';

/** @type {{ exports: Record<string, string | { default: string }> }} */
const { exports } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));
const modules = Object.values(exports).flatMap((entry) => (typeof entry === 'string' ? [] : entry.default));

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  entryPoints: modules.map((path) => path.replace(/^\.\/dist\/(.*)\.js$/, 'lib/$1.ts')),
  tsconfig: 'tsconfig.build.json',
  skipErrorChecking: true,
  out: 'docs/api',
  readme: 'README.md',
  projectDocuments: ['docs/*.md'],
  disableSources: true,
  excludeInternal: true,
  excludePrivate: true,
  hideGenerator: true,
  sort: ['source-order'],
  validation: { notDocumented: true },
  treatValidationWarningsAsErrors: true,
};
