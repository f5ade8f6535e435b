// Other systems than this machine's, for what can run on a linux-x64: an older glibc, musl, arm64 by QEMU, Windows by Wine.
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unpackDebian } from '../debian.js';
import { ensureNpm, root } from '../run.js';
import { output } from './cases.js';
import { BUN, versionOf } from './tools.js';

/** @typedef {(args: readonly string[], options?: { env?: NodeJS.ProcessEnv, timeout?: number }) => string} Run */

/**
 * A JavaScript runtime on a system.
 * @typedef {object} Runtime
 * @property {string} name
 * @property {Run} run with the program's folder as the working directory; what it printed
 */

/**
 * @typedef {object} System
 * @property {string} name
 * @property {string} binary below prebuilds/
 * @property {RegExp} libc that a program there has loaded
 * @property {number} page bytes of a page
 * @property {(folder: string) => Iterable<Runtime>} runtimes which run programs in `folder`
 */

const FOLDER = '.tools/platforms';
const RELEASES = [20, 22, 24, 26];
/** The C library that Node.js needs, and C++'s. */
const LIBRARIES = ['libc6', 'libgcc-s1', 'libstdc++6', 'libatomic1'];
/** The oldest that the mirrors have; Node.js needs glibc 2.28. */
const OLD = { debian: 'bullseye', glibc: '2.31' };

/** @type {readonly System[]} */
export const SYSTEMS = [
  {
    name: `linux-x64, glibc ${OLD.glibc}`,
    binary: 'linux-x64/slabpool.glibc.node',
    libc: RegExp(`/libc-${OLD.glibc}\\.so$`),
    page: 4096,
    runtimes: oldGlibc,
  },
  {
    name: 'linux-x64, musl 1.2',
    binary: 'linux-x64/slabpool.musl.node',
    libc: /\/x86_64-linux-musl\/libc\.so$/,
    page: 4096,
    runtimes: musl,
  },
  arm64(4096, RELEASES),
  arm64(16_384, [24]),
  arm64(65_536, [24]),
  {
    name: 'win32-x64 (Wine 10)',
    binary: 'win32-x64/slabpool.node',
    libc: /\/ucrtbase\.dll$/i,
    page: 4096,
    runtimes: wine,
  },
];

/** @param {string} folder @returns {Iterable<Runtime>} */
function* oldGlibc(folder) {
  const nodes = installNodes('linux-x64');
  const system = unpackDebian(`${FOLDER}/${OLD.debian}-amd64`, OLD.debian, 'amd64', LIBRARIES);
  for (const { name, path } of nodes) {
    yield { name, run: (args, options) => output(...within(system, folder, [path, ...args]), options) };
  }
}

/** npm has no Node.js for musl, but it has Bun. @param {string} folder @returns {Iterable<Runtime>} */
function* musl(folder) {
  const version = versionOf(BUN);
  const name = '@oven/bun-linux-x64-musl';
  const path = join(FOLDER, 'linux-x64-musl');
  ensureNpm(path, [`${name}@${version}`], [`${name}/bin/bun`], [], ['--force']);
  const system = unpackDebian(`${FOLDER}/musl-amd64`, 'bookworm', 'amd64', ['musl']);
  const library = join(system, 'lib/x86_64-linux-musl/libstdc++.so.6');
  const whole = ['-Wl,--whole-archive', '-l:libstdc++.a', '-lgcc_eh', '-Wl,--no-whole-archive', '-lgcc'];
  const source = join(root, 'scripts/matrix/musl-libstdc++.c');
  output('cc', ['-O2', '-shared', '-fPIC', '-nodefaultlibs', '-D_GNU_SOURCE', source, ...whole, '-o', library]);
  const bun = join(root, path, 'node_modules', name, 'bin/bun');
  yield { name: `Bun ${version}`, run: (args, options) => output(...within(system, folder, [bun, ...args]), options) };
}

/** @param {number} page @param {readonly number[]} releases @returns {System} */
function arm64(page, releases) {
  return {
    name: `linux-arm64 (QEMU), glibc ${OLD.glibc}, pages of ${page / 1024} KiB`,
    binary: 'linux-arm64/slabpool.glibc.node',
    libc: RegExp(`/libc-${OLD.glibc}\\.so$`),
    page,
    *runtimes(folder) {
      const nodes = installNodes('linux-arm64');
      const system = unpackDebian(`${FOLDER}/${OLD.debian}-arm64`, OLD.debian, 'arm64', LIBRARIES);
      // Later ones know no other pages than the machine's.
      const qemu = unpackDebian(`${FOLDER}/qemu`, 'bookworm', 'amd64', ['qemu-user-static']);
      const emulator = `${join(qemu, 'usr/bin/qemu-aarch64-static')} -p ${page} -L ${system}`;
      for (const { release, name, path } of nodes.filter((node) => releases.includes(node.release))) {
        // Also what programs start by process.execPath is to be run by the emulator.
        const execPath = join(folder, `node${release}`);
        const itself = `data:text/javascript,${encodeURIComponent(`process.execPath = '${execPath}'`)}`;
        const script = `#!/bin/sh\nexec ${emulator} ${path} '--import=${itself.replaceAll("'", '%27')}' "$@"\n`;
        writeFileSync(execPath, script, { mode: 0o755 });
        yield { name, run: (args, options) => output(execPath, args, { ...options, cwd: folder }) };
      }
    },
  };
}

/** @param {string} folder @returns {Iterable<Runtime>} */
function* wine(folder) {
  const nodes = installNodes('win32-x64');
  const system = unpackWine();
  const home = join(folder, 'wine');
  const wine64 = '/usr/lib/wine/wine64';
  const server = '/usr/lib/wine/wineserver64';
  const own = { HOME: home, WINEPREFIX: home, WINEDEBUG: '-all', WINESERVER: server };
  /** @type {Run} */
  const run = (command, { env, ...options } = {}) =>
    intoFile(join(folder, 'output.txt'), ...within(system, folder, command), { ...options, env: { ...own, ...env } });
  mkdirSync(home);
  try {
    run([wine64, 'wineboot', '--init']);
    for (const { name, path } of nodes) {
      yield { name, run: (args, options) => run([wine64, path, ...args], options) };
    }
    // Electron's and other programs' that have Node in them are not called node.exe.
    for (const { name, path } of nodes.slice(-1)) {
      const renamed = 'myapp.exe';
      cpSync(path, join(folder, renamed));
      yield { name: `${name} as ${renamed}`, run: (args, options) => run([wine64, renamed, ...args], options) };
    }
  } finally {
    run([server, '--kill']);
  }
}

function unpackWine() {
  const needed = ['libc6', 'libgcc-s1', 'libunwind8', 'liblzma5', 'libz-mingw-w64'];
  const system = unpackDebian(`${FOLDER}/trixie-amd64`, 'trixie', 'amd64', ['wine64', 'libwine', ...needed]);
  const dlls = join(system, 'usr/lib/x86_64-linux-gnu/wine');
  // For programs of 32 bits.
  rmSync(join(dlls, 'i386-windows'), { recursive: true, force: true });
  for (const name of ['lib', 'lib64']) {
    if (!existsSync(join(system, name))) symlinkSync(`usr/${name}`, join(system, name));
  }
  // As libwine's postinst does: Wine takes for its own what says so.
  const zlib = readFileSync(join(system, 'usr/x86_64-w64-mingw32/lib/zlib1.dll')).fill(0, 64, 96);
  zlib.write('Wine builtin DLL', 64, 'latin1');
  writeFileSync(join(dlls, 'x86_64-windows/zlib1.dll'), zlib);
  return system;
}

/**
 * As output(), but through a file: node.exe takes no pipe that is not made by Wine.
 * @param {string} file @param {string} command @param {readonly string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} options
 */
function intoFile(file, command, args, options) {
  const fd = openSync(file, 'w');
  try {
    output(command, args, { ...options, stdio: ['ignore', fd, fd] });
  } catch (cause) {
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${readFileSync(file, 'utf8')}`, { cause });
  } finally {
    closeSync(fd);
  }
  return readFileSync(file, 'utf8');
}

/** @param {string} platform @returns {{ release: number, name: string, path: string }[]} */
function installNodes(platform) {
  const folder = join(FOLDER, platform);
  const file = platform.startsWith('win32') ? 'node.exe' : 'node';
  const files = RELEASES.map((release) => `node${release}/bin/${file}`);
  const packages = RELEASES.map((release) => `node${release}@npm:node-${platform.replace('win32', 'win')}@${release}`);
  ensureNpm(folder, packages, files, [], ['--force']);
  const modules = join(root, folder, 'node_modules');
  return RELEASES.map((release) => ({
    release,
    name: `Node ${release}`,
    path: join(modules, `node${release}`, 'bin', file),
  }));
}

const MOUNT_AND_RUN = `
system=$1 project=$2 folder=$3
shift 3
for name in proc sys dev; do mount --rbind /$name $system/$name; done
mount --bind $folder/tmp $system/tmp
for path in $project $folder; do mkdir -p $system/$path; mount --bind $path $system/$path; done
# The path of a file that is not there.
unset NODE_EXTRA_CA_CERTS
exec unshare --root $system --wd $folder "$@"`;

/**
 * A command with another root, in which the project and `folder` are where they are here. What it mounts ends with it.
 * @param {string} system @param {string} folder @param {readonly string[]} command
 * @returns {[command: string, args: string[]]}
 */
function within(system, folder, command) {
  for (const name of ['proc', 'sys', 'dev', 'tmp']) mkdirSync(join(system, name), { recursive: true });
  mkdirSync(join(folder, 'tmp'), { recursive: true });
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return ['unshare', [...user, '--mount', 'sh', '-euc', MOUNT_AND_RUN, 'sh', system, root, folder, ...command]];
}
