import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';

/** What figures depend on, and what a reader needs to know to measure them again. */
export function machine() {
  return {
    runtime: runtime(),
    cpu: `${cpus()[0]?.model}, ${cpus().length} cores`,
    system: `${type()} ${release()}`,
    'page size': pageSize(),
    'transparent huge pages': hugePages(),
    'Buffer.poolSize': Buffer.poolSize,
  };
}

function runtime() {
  const { bun, deno, node, v8 } = process.versions;
  if (bun !== undefined) return `Bun ${bun}`;
  return deno === undefined ? `Node.js ${node}, V8 ${v8}` : `Deno ${deno}, V8 ${v8}`;
}

function pageSize() {
  try {
    return Number(execFileSync('getconf', ['PAGESIZE'], { encoding: 'utf8' }));
  } catch {
    return 'unknown';
  }
}

/** The setting of the kernel: `always`, `madvise` or `never`. */
function hugePages() {
  try {
    return readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').match(/\[(.*)\]/)?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
