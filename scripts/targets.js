// The binaries in the package: what makes each.
/**
 * @typedef {object} Target
 * @property {string} name below prebuilds/
 * @property {string} triple of zig, or of GNU
 * @property {'zig' | 'mingw'} compiler
 * @property {readonly string[]} flags
 */

/**
 * Without what of the C++ runtime nobody calls. Read-only relocations, all of them bound at load: a symbol that is missing shows
 * there. The code stays loaded.
 */
const ELF = ['-ffunction-sections', '-Wl,--gc-sections', '-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,nodelete'];
/** Node-API's symbols are the executable's. Without a name the library would have the path it was linked to. */
const MACH_O = ['-Wl,-undefined,dynamic_lookup', '-Wl,-install_name,@rpath/slabpool.node'];
/** Its usual address would be made from the path it was linked to. */
const PE = ['-Wl,--disable-auto-image-base'];

/** @type {readonly Target[]} */
export const TARGETS = [
  // The oldest glibc that the compiler knows for both; Node itself needs 2.28.
  { name: 'linux-x64/slabpool.glibc.node', triple: 'x86_64-linux-gnu.2.17', compiler: 'zig', flags: ELF },
  { name: 'linux-arm64/slabpool.glibc.node', triple: 'aarch64-linux-gnu.2.17', compiler: 'zig', flags: ELF },
  { name: 'linux-x64/slabpool.musl.node', triple: 'x86_64-linux-musl', compiler: 'zig', flags: ELF },
  { name: 'linux-arm64/slabpool.musl.node', triple: 'aarch64-linux-musl', compiler: 'zig', flags: ELF },
  { name: 'darwin-arm64/slabpool.node', triple: 'aarch64-macos.11.0', compiler: 'zig', flags: MACH_O },
  { name: 'darwin-x64/slabpool.node', triple: 'x86_64-macos.11.0', compiler: 'zig', flags: MACH_O },
  { name: 'win32-x64/slabpool.node', triple: 'x86_64-w64-mingw32', compiler: 'mingw', flags: PE },
];
