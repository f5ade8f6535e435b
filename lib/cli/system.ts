import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { Script } from 'node:vm';
import { formatBytes, formatShare } from '../base/format.js';
import { type BackendInfo, load, pageSizeOf } from '../core/loader.js';
import { HIGH } from '../core/pressure.js';
import { resolveOptions } from '../options.js';
import { type Check, check } from './check.js';

/** The key of the page size in the auxiliary vector of a process (getauxval(3)). */
const AT_PAGESZ = 6n;

export function runtime(): Check {
  const { version, platform, arch, versions } = process;
  const libc = libcName();
  // They call themselves Node as well, and what they say of V8 need not be so.
  const other = versions['bun'] ?? versions['deno'] ?? null;
  const name = versions['bun'] !== undefined ? 'Bun' : versions['deno'] !== undefined ? 'Deno' : 'Node';
  const engine =
    other === null ? `Node ${version}, V8 ${versions.v8}` : `${name} ${other}, compatible with Node ${version}`;
  const text = `${engine}, ${platform}-${arch}${libc === null ? '' : `, ${libc}`}`;
  const figures = { runtime: name, version: other ?? version, node: version, v8: versions.v8, platform, arch, libc };
  return check('runtime', 'ok', text, { figures });
}

function libcName(): string | null {
  if (process.platform !== 'linux') return null;
  const report = allowed(() => process.report.getReport()) as { header: { glibcVersionRuntime?: string } } | null;
  if (report === null) return 'unknown libc';
  const { glibcVersionRuntime: glibc } = report.header;
  return glibc === undefined ? 'musl or another libc' : `glibc ${glibc}`;
}

const JS_CORE = 'The TypeScript core works; it serves one thread, and cannot align blocks or share them.';

export function backend({ kind, reason }: BackendInfo): Check {
  const found = load();
  if ('reason' in found) {
    const advice = `${found.remedy}. ${JS_CORE}`;
    return check('backend', 'note', `TypeScript core: ${found.reason}`, { advice, figures: { kind, reason } });
  }
  const inside = relative(fileURLToPath(new URL('../..', import.meta.url)), found.path);
  const binary = found.built ? 'built' : 'prebuilt';
  const text = `native core, ${found.built ? 'built on this machine' : 'prebuilt'} (${inside})`;
  return check('backend', 'ok', text, { figures: { kind, reason, binary } });
}

/** Whether the runtime knows `using` itself; TypeScript and other compilers translate it. */
export function explicitResources(): Check {
  let known = true;
  try {
    new Script('{ using lease = null; }');
  } catch {
    known = false;
  }
  const advice = 'Call lease.release() in a finally, borrow(), or translate `using` with TypeScript.';
  return known
    ? check('using', 'ok', '`using lease = pool.acquire(n)` works in plain JavaScript', { figures: { known } })
    : check('using', 'note', 'this runtime does not know `using` in plain JavaScript', { advice, figures: { known } });
}

export function pages(): Check {
  const pageBytes = pageSize();
  const modes = read('/sys/kernel/mm/transparent_hugepage/enabled')?.trim() ?? null;
  const hugePages = modes?.match(/\[(\w+)\]/)?.[1] ?? null;
  const hugePageBytes = Number(read('/sys/kernel/mm/transparent_hugepage/hpage_pmd_size')) || null;
  const figures = { pageBytes, hugePages, hugePageBytes };
  const size = pageBytes === null ? 'page size unknown' : `pages of ${formatBytes(pageBytes)}`;
  if (hugePages === null) return check('pages', 'ok', `${size}; nothing known of huge pages`, { figures });
  const huge = `transparent huge pages${hugePageBytes === null ? '' : ` of ${formatBytes(hugePageBytes)}`}: ${hugePages}`;
  if (hugePages !== 'always') return check('pages', 'ok', `${size}; ${huge}`, { figures });
  const advice = 'A process may then take a huge page where one byte was touched: its memory may exceed residentBytes.';
  return check('pages', 'note', `${size}; ${huge}`, { advice, figures });
}

function pageSize(): number | null {
  const vector = allowed(() => readFileSync('/proc/self/auxv'));
  if (vector === null || vector.length % 16 !== 0) return null;
  // Pairs of words; a copy, since the buffer need not be aligned. On 32 bits no pair looks like this one.
  const words = new BigUint64Array(Uint8Array.from(vector).buffer);
  const at = words.findIndex((word, i) => i % 2 === 0 && word === AT_PAGESZ);
  return at < 0 ? null : Number(words[at + 1]);
}

/** What bounds the memory of this process, and what `maxBytes` fits below that. */
export function limits(): Check {
  const machineBytes = allowed(totalmem);
  const constrained = allowed(() => process.constrainedMemory());
  if (machineBytes === null || constrained === null) {
    const advice = 'Nor can the TypeScript core tell when memory is short. Deno permits it with --allow-sys.';
    return check('limits', 'note', 'unknown: this process may not ask how much memory there is', { advice });
  }
  // Without a limit: undefined, 0, or more than there is.
  const cgroupBytes = constrained > 0 && constrained < machineBytes ? constrained : null;
  const limitBytes = cgroupBytes ?? machineBytes;
  const heapBytes = getHeapStatistics().heap_size_limit;
  const mostBytes = Math.max(0, Math.floor(HIGH * limitBytes - heapBytes));
  const text =
    `${cgroupBytes === null ? 'no cgroup limit; the machine has' : 'cgroup limit of'} ${formatBytes(limitBytes)}, ` +
    `V8's heap may take ${formatBytes(heapBytes)} of it`;
  const byDefault = resolveOptions({ name: 'doctor', backend: 'js' }, pageSizeOf).maxBytes;
  const figures = { machineBytes, cgroupBytes, heapBytes, suggestedMostBytes: mostBytes };
  const rule = `(${formatShare(HIGH)} of the limit less V8's heap)`;
  if (mostBytes >= byDefault) {
    return check('limits', 'ok', `${text}; maxBytes of up to ${formatBytes(mostBytes)} fits`, { figures });
  }
  const advice =
    mostBytes === 0
      ? 'Lower --max-old-space-size: the heap alone may reach the limit, and the pool comes on top.'
      : `Set maxBytes to ${formatBytes(mostBytes)} at most ${rule}, or lower --max-old-space-size; the default is ${formatBytes(byDefault)}.`;
  return check('limits', 'note', text, { advice, figures });
}

/** A native pool reserves address space for its whole budget, and makes it writable as it grows. */
export function addressSpace(): Check {
  const limit = read('/proc/self/limits')?.match(/^Max address space +(\w+)/m)?.[1] ?? null;
  const overcommit = read('/proc/sys/vm/overcommit_memory')?.trim() ?? null;
  const figures = { addressSpaceLimit: limit, overcommitMemory: overcommit };
  const notes = [
    ...(limit !== null && limit !== 'unlimited' ? [`ulimit -v is ${formatBytes(Number(limit))}`] : []),
    ...(overcommit === '2' ? ['vm.overcommit_memory is 2: memory may be refused before it is used up'] : []),
  ];
  if (notes.length === 0) return check('address-space', 'ok', 'neither limited nor accounted strictly', { figures });
  const advice = 'A pool that cannot be had throws ERR_SLABPOOL_OUT_OF_MEMORY: lower maxBytes, or lift the limit.';
  return check('address-space', 'note', notes.join('; '), { advice, figures });
}

function read(path: string): string | null {
  return allowed(() => readFileSync(path, 'utf8'));
}

/** What `look` returns; null where it is forbidden or fails: Deno asks for permission even to name the system. */
function allowed<T>(look: () => T): T | null {
  try {
    return look();
  } catch {
    return null;
  }
}
