import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { BufferPool } from 'slabpool';
import { loadAddon } from '../dist/core/loader.js';
import { heapOf } from '../dist/heap/heap-of.js';
import { collectGarbage } from './garbage.js';
import { compared } from './measure.js';

const KiB = 1024;
const MiB = 1024 * KiB;
const PAGE = 4 * KiB;
const SIZE = 64 * KiB;
const LARGE = MiB;
const LARGE_COUNT = 32;
const WARM = 64 * MiB;
/** The ways of workers/cold.js. */
const PROCESSES = {
  slabpool: 'slabpool',
  faults: 'slabpool, by faults',
  allocUnsafeSlow: 'Buffer.allocUnsafeSlow(65,536)',
};

export const title =
  'memory without pages: populated by one call of the system for many pages, and by a fault for each; CPU time. ' +
  'Where memory might stay warm otherwise, a process each';

/**
 * A way to get cold memory; `use` is timed, and `end` gets what it returns.
 * @typedef {{ begin: () => void, use: () => unknown, end?: (used: any) => void }} Steps
 * @typedef {Steps & { name: string, populating: boolean }} Way
 */

/** @param {import('./run.js').Context} context */
export async function run({ effort, progress, report, facts, leaveOut }) {
  const rounds = effort.smoke ? 1 : 25;
  const addon = loadAddon();
  if (typeof addon === 'string' || !addon.canPopulate()) {
    leaveOut('this kernel does not populate (Linux before 5.14, another system), or there is no native core');
    return;
  }

  /** @type {(label: string, again: boolean, count: number, rounds: number) => Promise<void>} */
  const processes = async (label, again, count, rounds) => {
    const ways = Object.entries(PROCESSES);
    /** @type {number[][]} */
    const times = ways.map(() => []);
    for (let round = 0; round < rounds; round++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const i = (turn + round) % ways.length;
        const [way, name] = /** @type {[string, string]} */ (ways[i]);
        progress(`${label}: ${name}, round ${round + 1} of ${rounds}`);
        const script = fileURLToPath(new URL('workers/cold.js', import.meta.url));
        const child = fork(script, [way, `${SIZE}`, `${count}`, again ? 'again' : 'first']);
        const exit = once(child, 'exit');
        const [us] = await once(child, 'message');
        times[i]?.push((us * 1000) / count);
        await exit;
      }
    }
    report(
      label,
      ways.map(([, name], i) => compared(name, times[i] ?? [], times[0] ?? [])),
    );
  };
  /** @type {(ways: readonly Way[], count: number, label: string) => number[][]} */
  const measure = (ways, count, label) => {
    /** @type {number[][]} */
    const times = ways.map(() => []);
    // The first round warms up.
    for (let round = -1; round < rounds; round++) {
      for (let turn = 0; turn < ways.length; turn++) {
        const i = (turn + round + 1) % ways.length;
        const { name, populating, begin, use, end } = /** @type {Way} */ (ways[i]);
        progress(`${label}: ${name}, round ${round + 1} of ${rounds}`);
        addon.setPopulating(populating);
        begin();
        collectGarbage();
        const before = process.cpuUsage();
        const used = use();
        const { user, system } = process.cpuUsage(before);
        end?.(used);
        if (round >= 0) times[i]?.push(((user + system) * 1000) / count);
      }
    }
    return times;
  };
  /** @type {(label: string, count: number, ways: readonly Way[]) => number[][]} */
  const compare = (label, count, ways) => {
    const times = measure(ways, count, label);
    report(
      label,
      ways.map(({ name }, i) => compared(name, times[i] ?? [], times[0] ?? [])),
    );
    return times;
  };

  await processes('1,000 blocks of 64 KiB, all pages touched', false, 1000, rounds);
  await processes(
    'a burst of 256 MiB in 64 KiB blocks, after the one before it has decayed',
    true,
    4096,
    Math.ceil(rounds / 3),
  );

  /** @type {BufferPool[]} */
  const pools = [];
  const open = () => {
    // Leak detection tracks a share of these leases, which has nothing to do with their pages.
    const pool = new BufferPool({ maxBytes: 256 * MiB, leakDetection: 'off' });
    pools.push(pool);
    return pool;
  };
  try {
    compare('a block of 1 MiB, one byte touched', LARGE_COUNT, [
      { name: 'slabpool', populating: true, ...large(open(), 1) },
      { name: 'slabpool, by faults', populating: false, ...large(open(), 1) },
      { name: 'all pages touched', populating: true, ...large(open(), LARGE) },
    ]);
    compare('a block of 1 MiB, all pages touched, as of those before it', LARGE_COUNT, [
      { name: 'slabpool', populating: true, ...large(open(), LARGE) },
      { name: 'slabpool, by faults', populating: false, ...large(open(), LARGE) },
    ]);
    const [populated = []] = compare('prewarm of 64 MiB', 1, [
      { name: 'slabpool', populating: true, ...prewarm(open()) },
      { name: 'slabpool, by faults', populating: false, ...prewarm(open()) },
      { name: 'two faults a page, a read and a write', populating: false, ...readThenWrite(open()) },
    ]);
    const [faults = []] = measure([{ name: 'faults', populating: false, ...touchOnly(open()) }], WARM / PAGE, 'a page');
    const byPrewarm = median(populated) / (WARM / PAGE);
    facts({
      'ns a page, by a fault': median(faults),
      'ns a page, by prewarm()': byPrewarm,
      'a fault over a page of prewarm()': median(faults) / byPrewarm,
    });
  } finally {
    addon.setPopulating(true);
    for (const pool of pools) pool.close();
  }
}

/** Takes the memory of what is free; the objects of the blocks stay, so that nothing but memory is cold. @param {BufferPool} pool */
function chill(pool) {
  const heap = heapOf(pool);
  heap?.flushAll();
  heap?.core.trim('trim');
}

/** Writes to each page. @param {Uint8Array} bytes @param {number} most of them */
function touch(bytes, most) {
  for (let at = 0; at < most; at += PAGE) bytes[at] = 1;
}

/** @param {BufferPool} pool @param {number} most bytes of each that are touched @returns {Steps} */
function large(pool, most) {
  return {
    begin: () => chill(pool),
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
const prewarm = (pool) => ({ begin: () => chill(pool), use: () => pool.prewarm(SIZE, WARM / SIZE) });

/** @param {BufferPool} pool @returns {Steps} */
function readThenWrite(pool) {
  return {
    begin: () => chill(pool),
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
      chill(pool);
      leases = pool.acquireMany(SIZE, WARM / SIZE);
    },
    use: () => {
      for (const { bytes } of leases) touch(bytes, SIZE);
    },
    end: () => pool.releaseMany(leases),
  };
}
