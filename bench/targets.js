// What slabpool promises itself, held against what was measured.
import Table from 'cli-table3';

/** @typedef {{ ratios: Record<string, number>, facts: Record<string, number> }} Measured by 'bench/label/contender' */

const MIX = 'mix: log-normal, median 2 KiB';
const release = Number(process.versions.node.split('.')[0]);

/**
 * Ratios are a contender's time over slabpool's; with `ours` they are shown the other way round, as the target is put.
 * @type {{ what: string, ratio?: string, fact?: string, least?: number, most?: number, ours?: boolean }[]}
 */
const TARGETS = [
  ...[
    ['4000 B', '4000 B'],
    ['mix', MIX],
    ['4000 B, passed on', '4000 B, passed on'],
    ['mix, passed on', 'mix, passed on'],
  ].flatMap(([what, label]) => [
    {
      what: `${what}: our time over the naive pool at most 1.3`,
      ratio: `steady/${label}/naive JS pool`,
      least: 1 / 1.3,
      ours: true,
    },
    {
      what: `${what}: our time over the fair pool at most 1.0`,
      ratio: `steady/${label}/fair JS pool`,
      least: 1,
      ours: true,
    },
    { what: `${what}: typedarray-pool at least 2.5x slower`, ratio: `steady/${label}/typedarray-pool`, least: 2.5 },
  ]),
  {
    what: `Buffer.allocUnsafe(4096) at least ${release < 24 ? 30 : 5}x slower on this release`,
    ratio: 'steady/4096 B/Buffer.allocUnsafe',
    least: release < 24 ? 30 : 5,
  },
  {
    what: 'Buffer.allocUnsafeSlow(64 KiB) at least 40x slower',
    ratio: 'steady/65536 B/Buffer.allocUnsafeSlow',
    least: 40,
  },
  {
    what: 'new ArrayBuffer(1 MiB) at least 1000x slower',
    ratio: 'steady/1048576 B/new ArrayBuffer',
    least: 1000,
  },
  {
    what: 'burst pair at most 4x the steady pair',
    ratio: 'burst/4000 B/slabpool, steady pair',
    least: 1 / 4,
    ours: true,
  },
  ...(release === 20
    ? [{ what: 'burst: allocUnsafe at least 5x slower', ratio: 'burst/4000 B/Buffer.allocUnsafe', least: 5 }]
    : []),
  ...[
    ...['fair JS pool', 'Buffer.allocUnsafeSlow', 'one Buffer, reused'],
    ...['address mod 64 = 0', 'address mod 64 = 16'],
  ].map((contender) => ({
    what: `1 MiB file blocks: never below 0.95x of ${contender}`,
    ratio: `read-file/1024 KiB blocks/${contender}`,
    least: 0.95,
  })),
  { what: 'steady state: no mark-sweep', fact: 'steady-state/mark-sweep collections', most: 0 },
  { what: 'steady state: nothing deoptimised', fact: 'steady-state/functions deoptimised', most: 0 },
  {
    what: 'steady state: no external memory per operation',
    fact: 'steady-state/external bytes per operation',
    most: 0.001,
  },
  { what: 'core: refill + flush of 32 at most 150 ns', fact: 'core/ns, one batch out', most: 150 },
];

/** @param {Measured} measured */
export function verdicts({ ratios, facts }) {
  const grid = new Table({ head: ['target', 'measured', ''], style: { head: [], border: [] } });
  for (const { what, ratio, fact, least = -Infinity, most = Infinity, ours = false } of TARGETS) {
    const value = ratio === undefined ? facts[/** @type {string} */ (fact)] : ratios[ratio];
    if (value === undefined) continue; // not among the benchmarks asked for
    const shown = ours ? 1 / value : value;
    grid.push([
      what,
      shown >= 100 ? Math.round(shown) : shown.toPrecision(3),
      value >= least && value <= most ? 'met' : 'MISSED',
    ]);
  }
  return grid.toString();
}
