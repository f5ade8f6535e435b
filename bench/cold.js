import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BufferPool } from 'slabpool';
import { loadAddon } from '../dist/core/loader.js';
import { collectGarbage, compared, median } from './measure.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const PAGE = 4 * KiB;
const SIZE = 64 * KiB;
const LARGE = MiB;
const LARGE_COUNT = 32;
const WARM = 64 * MiB;

export const title =
  'memory without pages, acquired and touched: populated by one call of the system for many pages (Linux 5.14), ' +
  'and by a fault for each';

/**
 * A way to get cold memory. What `use` returns is given back by `end`; only `use` is timed.
 * @typedef {{ name: string, populates: boolean, begin: () => void, use: () => unknown, end?: (used: any) => void }} Way
 * @typedef {import('../dist/core/addon.js').Addon} Addon
 */

/** @param {import('./index.js').Context} context */
export async function run({ effort, progress, report, facts }) {
  const rounds = effort.rounds < 7 ? 5 : 25;
  const addon = loadAddon();
  if (typeof addon === 'string') throw new Error(`npm run bench -- cold: expected the native core, got none: ${addon}`);
  const populates = addon.canPopulate();

  /** @type {(label: string, scenario: string, count: number, rounds: number) => Promise<void>} */
  const processes = async (label, scenario, count, rounds) => {
    const names = {
      slabpool: 'slabpool',
      faults: 'slabpool, by faults',
      allocUnsafeSlow: 'Buffer.allocUnsafeSlow(65,536)',
    };
    const ways = Object.entries(names).filter(([way]) => populates || way !== 'faults');
    /** @type {number[][]} */
    const times = ways.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const i = (turn + round) % ways.length;
        const [way, name] = /** @type {[string, string]} */ (ways[i]);
        progress(`${label}: ${name}, round ${round + 1} of ${rounds}`);
        const child = fork(fileURLToPath(new URL('workers/cold.js', import.meta.url)), [way, scenario]);
        const exit = once(child, 'exit');
        const [ms] = await once(child, 'message');
        times[i]?.push((ms * 1e6) / count);
        await exit;
      }
    }
    report(
      label,
      ways.map(([, name], i) => compared(name, times[i] ?? [], times[0] ?? [])),
    );
  };
  /** @type {(label: string, ways: readonly Way[], operations: number) => number[][]} */
  const compare = (label, ways, operations) => {
    const there = ways.filter((way) => populates || way.populates);
    const times = measureWays(there, rounds, addon, (what) => progress(`${label}: ${what}`));
    const each = times.map((of) => of.map((ms) => (ms * 1e6) / operations));
    report(
      label,
      there.map(({ name }, i) => compared(name, each[i] ?? [], each[0] ?? [])),
    );
    return each;
  };

  await processes('1,000 blocks of 64 KiB, all pages touched', 'first', 1000, rounds);
  await processes('a burst of 256 MiB, after the one before it has decayed', 'again', 1, Math.ceil(rounds / 3));

  /** @type {BufferPool[]} */
  const pools = [];
  const open = () => {
    // Leak detection tracks a share of these leases, which has nothing to do with their pages.
    const pool = new BufferPool({ maxBytes: 256 * MiB, leakDetection: 'off' });
    pools.push(pool);
    return pool;
  };
  try {
    compare(
      'a block of 1 MiB, one byte touched',
      [
        { name: 'slabpool', populates: true, ...large(open(), 1) },
        { name: 'slabpool, by faults', populates: false, ...large(open(), 1) },
        { name: 'all pages touched', populates: true, ...large(open(), LARGE) },
      ],
      LARGE_COUNT,
    );
    compare(
      'a block of 1 MiB, all pages touched, as of those before it',
      [
        { name: 'slabpool', populates: true, ...large(open(), LARGE) },
        { name: 'slabpool, by faults', populates: false, ...large(open(), LARGE) },
      ],
      LARGE_COUNT,
    );
    const [populated = []] = compare(
      'prewarm of 64 MiB',
      [
        { name: 'slabpool', populates: true, ...prewarm(open()) },
        { name: 'slabpool, by faults', populates: false, ...prewarm(open()) },
        { name: 'by two faults, a read and a write', populates: false, ...readThenWrite(open()) },
      ],
      1,
    );
    const [faults = []] = measureWays(
      [{ name: 'faults', populates: false, ...touchOnly(open()) }],
      rounds,
      addon,
      progress,
    );
    const pageNs = WARM / PAGE;
    const byFault = (median(faults) * 1e6) / pageNs;
    facts({
      'the kernel populates': Number(populates),
      'ns a page, by a fault': byFault,
      'ns a page, by prewarm()': median(populated) / pageNs,
      'a fault over a page of prewarm()': byFault / (median(populated) / pageNs),
    });
  } finally {
    addon.setPopulating(true);
    for (const pool of pools) pool.close();
  }
}

/**
 * Milliseconds of each way, one a round: they take turns. The first round is for warming up.
 * @param {readonly Way[]} ways @param {number} rounds @param {Addon} addon @param {(what: string) => void} progress
 */
function measureWays(ways, rounds, addon, progress) {
  /** @type {number[][]} */
  const times = ways.map(() => []);
  for (let round = -1; round < rounds; round++) {
    for (let turn = 0; turn < ways.length; turn++) {
      const i = (turn + round + 1) % ways.length;
      const { name, populates, begin, use, end } = /** @type {Way} */ (ways[i]);
      progress(`${name}, round ${round + 1} of ${rounds}`);
      addon.setPopulating(populates);
      begin();
      collectGarbage();
      const started = performance.now();
      const used = use();
      const ms = performance.now() - started;
      end?.(used);
      if (round >= 0) times[i]?.push(ms);
    }
  }
  return times;
}

/** @typedef {Omit<Way, 'name' | 'populates'>} Steps */

/** @param {Uint8Array} bytes @param {number} most */
function touch(bytes, most) {
  for (let at = 0; at < most; at += PAGE) bytes[at] = 1;
}

/** @param {BufferPool} pool @param {number} most bytes of each that are touched @returns {Steps} */
function large(pool, most) {
  return {
    begin: () => pool.trim(),
    use: () =>
      Array.from({ length: LARGE_COUNT }, () => {
        const lease = pool.acquire(LARGE);
        touch(lease.bytes, most);
        return lease;
      }),
    end: (/** @type {import('slabpool').Lease[]} */ leases) => pool.releaseMany(leases),
  };
}

/** @param {BufferPool} pool @returns {Steps} */
const prewarm = (pool) => ({ begin: () => pool.trim(), use: () => pool.prewarm(SIZE, WARM / SIZE) });

/** @param {BufferPool} pool @returns {Steps} */
function readThenWrite(pool) {
  return {
    begin: () => pool.trim(),
    use: () => {
      const leases = pool.acquireMany(SIZE, WARM / SIZE);
      for (const { bytes } of leases) {
        for (let at = 0; at < SIZE; at += PAGE) bytes[at] = /** @type {number} */ (bytes[at]);
      }
      pool.releaseMany(leases);
    },
  };
}

/** The faults alone. @param {BufferPool} pool @returns {Steps} */
function touchOnly(pool) {
  /** @type {import('slabpool').Lease[]} */
  let leases = [];
  return {
    begin: () => {
      pool.trim();
      leases = pool.acquireMany(SIZE, WARM / SIZE);
    },
    use: () => {
      for (const { bytes } of leases) touch(bytes, SIZE);
    },
    end: () => pool.releaseMany(leases),
  };
}
