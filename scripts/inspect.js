// What is wrong with a binary that is to be published: it needs more than the systems it is for have, or is not hardened.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What the oldest system that Node.js itself runs on has (BUILDING.md of Node.js 20). */
const NEWEST_GLIBC = [2, 28];

/** @param {string} path @returns {string[]} */
export function faultsOf(path) {
  const head = readFileSync(path).subarray(0, 4096);
  if (head.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))) return elfFaults(path);
  if (head.subarray(0, 2).toString() === 'MZ') return peFaults(head);
  if (head.length >= 32 && head.readUInt32LE(0) === 0xfeedfacf) return machOFaults(path);
  return ['it is no shared library'];
}

/** @param {string} path */
function elfFaults(path) {
  const { stdout, error } = spawnSync('readelf', ['-ldVW', '--dyn-syms', path], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error) throw error;
  const faults = [];
  const versions = [...stdout.matchAll(/\bGLIBC_(\d+)\.(\d+)/g)].map(([, major, minor]) => [
    Number(major),
    Number(minor),
  ]);
  const isTooNew = (/** @type {number[]} */ [major = 0, minor = 0]) =>
    major > (NEWEST_GLIBC[0] ?? 0) || (major === NEWEST_GLIBC[0] && minor > (NEWEST_GLIBC[1] ?? 0));
  for (const version of new Set(versions.filter(isTooNew).map((v) => v.join('.'))))
    faults.push(`needs glibc ${version}`);
  const needed = [...stdout.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name ?? '');
  // The name by which no glibc system has it, so that it never loads there.
  if (path.includes('.musl.') && !needed.every((name) => /^libc\.musl-\w+\.so\.1$/.test(name))) {
    faults.push(`needs ${needed}, and should need musl by its full name alone`);
  }
  if (needed.some((name) => /stdc\+\+|libgcc|libc\+\+/.test(name))) faults.push(`needs a C++ runtime: ${needed}`);
  if (!/GNU_RELRO/.test(stdout) || !/BIND_NOW|Flags:.*\bNOW\b/.test(stdout)) faults.push('relocations stay writable');
  if (/GNU_STACK.* RWE /.test(stdout) || !/GNU_STACK/.test(stdout)) faults.push('the stack is executable');
  if (!/__stack_chk_fail/.test(stdout)) faults.push('no stack protector');
  if (!/\bNODELETE\b/.test(stdout)) faults.push('can be unloaded');
  if (/\(TEXTREL\)/.test(stdout)) faults.push('code is relocated');
  if (/\((RPATH|RUNPATH)\)/.test(stdout)) faults.push('has a path of this machine in it');
  if (!/napi_register_module_v1/.test(stdout)) faults.push('exports no addon');
  return faults;
}

/** @param {Buffer} head */
function peFaults(head) {
  const header = head.readUInt32LE(0x3c);
  const characteristics = head.readUInt16LE(header + 24 + 70);
  const flags = { 'high-entropy addresses': 0x20, 'random addresses': 0x40, 'no execution of data': 0x100 };
  return Object.entries(flags).flatMap(([name, bit]) => ((characteristics & bit) === 0 ? [`without ${name}`] : []));
}

const LC_ID_DYLIB = 0xd;
const LC_BUILD_VERSION = 0x32;
const LC_CODE_SIGNATURE = 0x1d;
const CPU_ARM64 = 0x0100000c;
const OLDEST_MACOS = 11;

/** @param {string} path */
function machOFaults(path) {
  const bytes = readFileSync(path);
  const faults = [];
  let signed = false;
  let oldest = 0;
  for (let i = 0, at = 32; i < bytes.readUInt32LE(16); i++, at += bytes.readUInt32LE(at + 4)) {
    const command = bytes.readUInt32LE(at);
    if (command === LC_CODE_SIGNATURE) signed = true;
    if (command === LC_ID_DYLIB && bytes[at + bytes.readUInt32LE(at + 8)] === '/'.charCodeAt(0)) {
      faults.push('has a path of this machine in it');
    }
    if (command === LC_BUILD_VERSION) oldest = bytes.readUInt16LE(at + 14);
  }
  if (bytes.readUInt32LE(4) === CPU_ARM64 && !signed) faults.push('not signed: arm64 refuses such');
  if (oldest !== OLDEST_MACOS) faults.push(`is for macOS ${oldest}, and should be for ${OLDEST_MACOS}`);
  return faults;
}
