import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { Script } from 'node:vm';
import { formatBytes, formatShare } from '../format.js';
import { type BackendInfo, load, pageSizeOf } from '../loader.js';
import { resolveOptions } from '../options.js';
import { HIGH } from '../pressure.js';
import { type Check, check } from './check.js';

/** The key of the page size in the auxiliary vector of a process (getauxval(3)). */
const AT_PAGESZ = 6n;

export function runtime(): Check {
  const { version, platform, arch, versions } = process;
  const libc = libcName();
  const text = `Node ${version}, V8 ${versions.v8}, ${platform}-${arch}${libc === null ? '' : `, ${libc}`}`;
  return check('runtime', 'ok', text, { figures: { node: version, v8: versions.v8, platform, arch, libc } });
}

function libcName(): string | null {
  if (process.platform !== 'linux') return null;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'musl or another libc' : `glibc ${header.glibcVersionRuntime}`;
}

export function backend({ kind, reason }: BackendInfo): Check {
  if (kind === 'js') {
    const advice = 'The TypeScript core works; it serves one thread, and cannot align blocks or share them.';
    return check('backend', 'note', `TypeScript core: ${reason}`, { advice, figures: { kind, reason } });
  }
  const { text, binary } = whichBinary();
  return check('backend', 'ok', `native core, ${text}`, { figures: { kind, reason, binary } });
}

function whichBinary() {
  const found = load();
  if ('reason' in found) return { binary: null, text: found.reason };
  const { path, built } = found;
  const inside = relative(fileURLToPath(new URL('../..', import.meta.url)), path);
  return built
    ? { binary: 'built', text: `built on this machine (${inside})` }
    : { binary: 'prebuilt', text: `prebuilt (${inside})` };
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
    : check('using', 'note', 'this Node does not know `using` in plain JavaScript', { advice, figures: { known } });
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
  let vector: Buffer;
  try {
    vector = readFileSync('/proc/self/auxv');
  } catch {
    return null;
  }
  if (vector.length % 16 !== 0) return null;
  // Pairs of words; a copy, since the buffer need not be aligned. On 32 bits no pair looks like this one.
  const words = new BigUint64Array(Uint8Array.from(vector).buffer);
  const at = words.findIndex((word, i) => i % 2 === 0 && word === AT_PAGESZ);
  return at < 0 ? null : Number(words[at + 1]);
}

/** What bounds the memory of this process, and what `maxBytes` fits below that. */
export function limits(): Check {
  const machineBytes = totalmem();
  const constrained = process.constrainedMemory();
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
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
