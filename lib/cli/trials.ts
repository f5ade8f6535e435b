import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { formatBytes } from '../base/format.js';
import { loadAddon } from '../core/loader.js';
import { BufferPool } from '../pool.js';
import { type Check, check } from './check.js';
import { handOver } from './hand-over.js';

const ROUNDS = 9;
/** Milliseconds of one measurement. */
const SLICE = 20;
/** What a trial of the alignment reads at once, and how much of the file: it stays in the page cache. */
const BLOCK = 2 ** 20;
const MOST_READ = 64 * 2 ** 20;
const CACHE_LINE = 64;
/** How much memory a trial of page faults touches. */
const FAULTED = 8 * 2 ** 20;
const SMALLEST_PAGE = 4096;
/** Where glibc's malloc puts large blocks: 16 bytes behind a page's beginning. */
const MALLOC_OFFSET = 16;

/** Does what every user does, and what none should. */
export function leases(pool: BufferPool): Check {
  try {
    const lease = pool.acquire(5000);
    lease.bytes.fill(0xa5);
    if (!lease.bytes.every((byte) => byte === 0xa5)) throw new Error('a block does not hold what was written to it');
    lease.release();
    let refused = false;
    try {
      lease.release();
    } catch {
      refused = true;
    }
    if (!refused) throw new Error('a second release was not refused');
    const { residentBytes, leasedBytes, inFlightBytes, cachedBytes, quarantinedBytes, retiredBytes, pinnedBytes } =
      pool.stats();
    const sum = leasedBytes + inFlightBytes + cachedBytes + quarantinedBytes + retiredBytes + pinnedBytes;
    if (sum !== residentBytes) throw new Error(`${residentBytes} bytes are resident, but ${sum} are accounted for`);
    pool.assertNoLeaks();
  } catch (error) {
    return check('leases', 'problem', (error as Error).message, { advice: REPORT });
  }
  return check('leases', 'ok', 'acquire, release, refusal of a second release, accounts');
}

const REPORT = 'This is a fault of slabpool, or of its binary: install it again, and report it if it stays.';

export async function threads(pool: BufferPool): Promise<Check> {
  if (pool.backend.kind === 'js') {
    return check('threads', 'note', 'not shared: only the native core serves several threads');
  }
  try {
    await handOver(pool);
    return check('threads', 'ok', 'a buffer went to a worker and came back, its bytes with it');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_ACCESS_DENIED') {
      return check('threads', 'note', 'not tried: the permission model forbids workers');
    }
    return check('threads', 'problem', `hand-over to a worker: ${(error as Error).message}`, { advice: REPORT });
  }
}

/** Acquire + touch + release over allocate + touch, taking turns: time is told as a ratio, since machines drift. */
export function speed(pool: BufferPool): Check {
  const [small, large] = [4000, 65_536].map((size) => {
    const pooled = (n: number) => {
      for (let i = 0; i < n; i++) {
        const lease = pool.acquire(size);
        lease.bytes[0] = i;
        lease.bytes[size - 1] = i;
        lease.release();
      }
    };
    const fresh = (n: number) => {
      for (let i = 0; i < n; i++) {
        const bytes = Buffer.allocUnsafe(size);
        bytes[0] = i;
        bytes[size - 1] = i;
      }
    };
    return Number(compare(fresh, pooled).toPrecision(2));
  }) as [number, number];
  const text = `in a loop, Buffer.allocUnsafe takes ${small} (4000 B) and ${large} (64 KiB) times as long as acquire + release`;
  const figures = { allocUnsafeOverPool4000B: small, allocUnsafeOverPool64KiB: large };
  if (small > 1 && large > 1) return check('speed', 'ok', text, { figures });
  return check('speed', 'note', text, { figures, advice: 'The pool is no gain in time here; it still bounds memory.' });
}

/** Reads from the page cache (of Node's own executable) into memory at a cache line's beginning, and off it. */
export function alignment(pool: BufferPool): Check {
  if (pool.backend.kind === 'js') return check('alignment', 'note', 'not measured: the TypeScript core cannot align');
  let fd: number;
  try {
    fd = openSync(process.execPath, 'r');
  } catch (error) {
    return check('alignment', 'note', `not measured: ${(error as Error).message}`);
  }
  const own = new BufferPool({ tiers: [BLOCK + CACHE_LINE] });
  try {
    const { bytes } = own.acquire(BLOCK + CACHE_LINE);
    const size = Math.min(BLOCK, fstatSync(fd).size);
    const end = Math.min(fstatSync(fd).size, MOST_READ) - size;
    const reader = (offset: number) => (n: number) => {
      for (let i = 0, at = 0; i < n; i++, at = at + size > end ? 0 : at + size) readSync(fd, bytes, offset, size, at);
    };
    const ratio = Number(compare(reader(MALLOC_OFFSET), reader(0)).toPrecision(3));
    const text = `reading ${formatBytes(size)} to an address ${MALLOC_OFFSET} bytes off a cache line takes ${ratio} times as long as to slabpool's`;
    return check('alignment', 'ok', text, { figures: { misalignedOverAligned: ratio } });
  } finally {
    closeSync(fd);
    own.close();
  }
}

/** Touches memory without pages: each gets its own by a fault, or many by one call of the system. */
export function pageFaults(pool: BufferPool): Check {
  const addon = pool.backend.kind === 'js' ? '' : loadAddon();
  if (typeof addon === 'string')
    return check('page-faults', 'note', 'not measured: V8 allocates for the TypeScript core');
  const populates = addon.canPopulate();
  const own = new BufferPool({ tiers: [BLOCK], maxBytes: FAULTED, leakDetection: 'off' });
  const count = FAULTED / BLOCK;
  const byFaults = () => {
    own.trim();
    addon.setPopulating(false);
    const leases = own.acquireMany(BLOCK, count);
    const ms = time(() => {
      for (const { bytes } of leases) for (let at = 0; at < BLOCK; at += SMALLEST_PAGE) bytes[at] = 1;
    });
    own.releaseMany(leases);
    return ms;
  };
  const populated = () => {
    own.trim();
    addon.setPopulating(true);
    return time(() => own.prewarm(BLOCK, count));
  };
  const microsecondsAPage = (run: () => number) =>
    Number(((median(run) * 1000) / (FAULTED / SMALLEST_PAGE)).toPrecision(2));
  try {
    const faultMicroseconds = microsecondsAPage(byFaults);
    const text = `a page of cold memory costs a fault of ${faultMicroseconds} µs`;
    if (!populates) {
      const figures = { populates, faultMicroseconds, populatedMicroseconds: null };
      const what = `${text}; this system has no call for many (MADV_POPULATE_WRITE of Linux 5.14)`;
      return check('page-faults', 'note', what, { figures });
    }
    const populatedMicroseconds = microsecondsAPage(populated);
    const figures = { populates, faultMicroseconds, populatedMicroseconds };
    const what = `${text}, or ${populatedMicroseconds} µs where many are populated by one call, as here (MADV_POPULATE_WRITE)`;
    return check('page-faults', 'ok', what, { figures });
  } finally {
    addon.setPopulating(true);
    own.close();
  }
}

/** The median, over rounds, of the time of `one` over that of `other`. */
function compare(one: (n: number) => void, other: (n: number) => void): number {
  const counts = [calibrate(one), calibrate(other)] as const;
  return median(() => time(() => one(counts[0])) / counts[0] / (time(() => other(counts[1])) / counts[1]));
}

/** Of what `run` returns, over rounds. */
function median(run: () => number): number {
  return Array.from({ length: ROUNDS }, run).sort((a, b) => a - b)[ROUNDS >> 1] as number;
}

/** The `n` for which `run` takes about a slice; V8 compiles `run` meanwhile. */
function calibrate(run: (n: number) => void): number {
  for (let n = 16; ; n *= 2) {
    const ms = time(() => run(n));
    if (ms > SLICE) return n;
  }
}

function time(run: () => void): number {
  const started = performance.now();
  run();
  return performance.now() - started;
}
