// A program (test/fixtures/bundled) with slabpool, installed from the packed package, put together by each bundler; what comes out is moved
// to another folder, away from all it was made of, and run by Node.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { BINARY, HERE } from '../package.js';
import { ensureNpm, root } from '../run.js';
import { Cases, inFolder, output } from './cases.js';
import { expectAnswer, PROGRAM, unpack } from './program.js';
import { BUN, ESBUILD, nameOf } from './tools.js';

const FOLDER = '.tools/bundlers';
const PACKAGES = [
  ESBUILD,
  'webpack@5.113.0',
  'rollup@4.68.8',
  '@rollup/plugin-node-resolve@16.0.3',
  'vite@8.3.8',
  BUN,
  '@vercel/ncc@0.45.0',
  '@vercel/nft@1.11.5',
];
const tools = join(root, FOLDER, 'node_modules');
const load = createRequire(join(tools, 'here.js'));

/**
 * @typedef {object} Job
 * @property {string} source folder with the program and node_modules/
 * @property {string} entry in it
 * @property {string} out
 * @property {boolean} external leave slabpool out
 *
 * @typedef {object} Bundler
 * @property {string} name
 * @property {'one-file.mjs' | 'two-files.mjs'} entry by what it knows of workers
 * @property {boolean} copies the binaries, too
 * @property {boolean} [nowhere] what comes out does not know where it lies
 * @property {(job: Job) => void | Promise<void>} bundle
 */

/** @type {readonly Bundler[]} */
const BUNDLERS = [
  ...['esm', 'cjs'].flatMap((format) =>
    [false, true].map((minify) => ({
      name: `esbuild, ${format}${minify ? ', minified' : ''}`,
      entry: /** @type {const} */ ('one-file.mjs'),
      copies: false,
      nowhere: format === 'cjs',
      bundle: (/** @type {Job} */ job) => esbuild(job, format, minify),
    })),
  ),
  { name: 'webpack 5, esm', entry: 'two-files.mjs', copies: true, bundle: (job) => webpack(job, true) },
  { name: 'webpack 5, cjs', entry: 'two-files.mjs', copies: true, bundle: (job) => webpack(job, false) },
  { name: 'rollup, esm', entry: 'one-file.mjs', copies: false, bundle: (job) => rollup(job, 'es') },
  { name: 'rollup, cjs', entry: 'one-file.mjs', copies: false, bundle: (job) => rollup(job, 'cjs') },
  { name: 'Vite SSR', entry: 'one-file.mjs', copies: false, bundle: vite },
  { name: 'bun build', entry: 'one-file.mjs', copies: false, bundle: (job) => bun(job, []) },
  { name: 'bun build, minified', entry: 'one-file.mjs', copies: false, bundle: (job) => bun(job, ['--minify']) },
  { name: 'ncc', entry: 'one-file.mjs', copies: true, bundle: (job) => ncc(job, []) },
  { name: 'ncc, minified', entry: 'one-file.mjs', copies: true, bundle: (job) => ncc(job, ['--minify']) },
  { name: 'nft', entry: 'two-files.mjs', copies: true, bundle: nft },
];

/** @param {Job} job @param {string} format @param {boolean} minify */
function esbuild({ source, entry, out, external }, format, minify) {
  const args = ['--bundle', '--platform=node', `--format=${format}`, '--log-level=error'];
  args.push(`--outfile=${join(out, format === 'esm' ? 'main.mjs' : 'main.cjs')}`);
  if (minify) args.push('--minify');
  if (external) args.push('--external:slabpool');
  output(process.execPath, [join(tools, 'esbuild/bin/esbuild'), entry, ...args], { cwd: source });
}

/** @param {Job} job @param {boolean} module */
async function webpack({ source, entry, out, external }, module) {
  const compiler = load('webpack')({
    ...{ mode: 'production', target: 'node20', context: source, entry: { main: `./${entry}` } },
    experiments: { outputModule: module },
    output: { path: out, module, filename: `[name].${module ? 'mjs' : 'cjs'}` },
    ...(external ? { externals: ['slabpool'], externalsType: module ? 'module' : 'commonjs' } : {}),
  });
  await new Promise((resolve, reject) => {
    compiler.run((/** @type {Error | null} */ error, /** @type {any} */ stats) => {
      if (error ?? stats.hasErrors()) reject(error ?? new Error(stats.toString('errors-only')));
      else resolve(undefined);
    });
  });
}

/** @param {Job} job @param {'es' | 'cjs'} format */
async function rollup({ source, entry, out, external }, format) {
  const { nodeResolve } = load('@rollup/plugin-node-resolve');
  const bundle = await load('rollup').rollup({
    input: join(source, entry),
    plugins: [nodeResolve({ preferBuiltins: true })],
    ...(external ? { external: ['slabpool'] } : {}),
  });
  await bundle.write({ file: join(out, format === 'es' ? 'main.mjs' : 'main.cjs'), format });
}

/** @param {Job} job */
async function vite({ source, entry, out, external }) {
  const { build } = await import(load.resolve('vite'));
  await build({
    ...{ root: source, configFile: false, logLevel: 'warn' },
    build: { ssr: entry, outDir: out, rolldownOptions: { output: { entryFileNames: 'main.mjs' } } },
    ...(external ? {} : { ssr: { noExternal: true } }),
  });
}

/** @param {Job} job @param {readonly string[]} flags */
function bun({ source, entry, out, external }, flags) {
  const args = ['build', entry, '--target=node', `--outfile=${join(out, 'main.mjs')}`, ...flags];
  if (external) args.push('--external', 'slabpool');
  output(join(tools, nameOf(BUN), 'bin/bun'), args, { cwd: source });
}

/** @param {Job} job @param {readonly string[]} flags */
function ncc({ source, entry, out, external }, flags) {
  const args = ['build', entry, '--out', out, ...flags];
  if (external) args.push('--external', 'slabpool');
  output(process.execPath, [join(tools, '@vercel/ncc/dist/ncc/cli.js'), ...args], { cwd: source });
  renameSync(join(out, 'index.mjs'), join(out, 'main.mjs'));
}

/** Bundles nothing, but tells what files a program needs. @param {Job} job */
async function nft({ source, entry, out }) {
  const { fileList, warnings } = await load('@vercel/nft').nodeFileTrace([join(source, entry)], { base: source });
  assert.deepEqual([...warnings], []);
  for (const file of fileList) cpSync(join(source, file), join(out, file));
  renameSync(join(out, entry), join(out, 'main.mjs'));
}

/** @param {Cases} cases */
export async function run(cases) {
  ensureNpm(FOLDER, PACKAGES, PACKAGES.map(nameOf));
  await inFolder(async (folder) => {
    const installed = unpack(folder);
    const moved = join(folder, 'elsewhere/program');
    const beside = join(folder, 'elsewhere/prebuilds', HERE, BINARY);
    for (const { name, entry, copies, nowhere, bundle } of BUNDLERS) {
      await cases.check(`${name}: ${copies ? 'the native core' : 'the TypeScript core, and why'}`, async () => {
        const looked = nowhere ? 'beside import.meta.url: that is undefined here' : beside;
        expectAnswer(await answer(entry, bundle, false), { native: copies, file: moved, looked });
      });
      if (bundle === nft) continue;
      await cases.check(`${name}, slabpool external: the native core`, async () => {
        expectAnswer(await answer(entry, bundle, true), { native: true, file: moved });
      });
    }
    for (const { name, bundle } of BUNDLERS.filter(({ name }) => !name.startsWith('rollup'))) {
      await cases.check(`${name}: import and require get one copy`, async () => {
        assert.equal(JSON.parse(await answer('both-ways.mjs', bundle, false)).one, true);
      });
    }

    /**
     * What the program says.
     * @param {string} entry @param {Bundler['bundle']} bundle @param {boolean} external
     */
    async function answer(entry, bundle, external) {
      const source = join(folder, 'source');
      cpSync(PROGRAM, source, { recursive: true });
      cpSync(installed, join(source, 'node_modules/slabpool'), { recursive: true });
      try {
        const out = join(source, 'out');
        await bundle({ source, entry, out, external });
        mkdirSync(dirname(moved));
        renameSync(out, moved);
        rmSync(source, { recursive: true });
        if (external) cpSync(installed, join(moved, 'node_modules/slabpool'), { recursive: true });
        const main = readdirSync(moved).find((name) => /^main\.[cm]js$/.test(name));
        return output(process.execPath, [join(moved, String(main))], { cwd: folder });
      } finally {
        for (const made of [source, dirname(moved)]) rmSync(made, { recursive: true, force: true });
      }
    }
  });
}
