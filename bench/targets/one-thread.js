// One thread: sizes, shapes of use, what V8 makes of it.
/** @typedef {import('../targets.js').Target} Target */

const MIX = 'mix: log-normal, median 2 KiB';

/** All sizes, and many leases at once. @type {Target[]} */
const SHAPES = [
  ...[256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576].map((size) => `steady/${size} B`),
  'burst/4000 B',
  'burst/4000 B, 10,000 at once',
  ...[128, 1024, 4096, 16_384].flatMap((length) =>
    ['log-normal', 'WebSocket proxy'].flatMap((kind) =>
      ['', ', untouched'].map((how) => `live-set/${length} buffers, ${kind}${how}`),
    ),
  ),
].flatMap((label) =>
  /** @type {const} */ ([
    ['fair', 1.1],
    ['naive', 1.7],
  ]).map(([kind, most]) => ({
    what: `${label.replace('/', ', ')}: our time over the ${kind} pool at most ${most}`,
    ratio: `${label}/${kind} JS pool`,
    least: 1 / most,
    ours: true,
  })),
);

/** On a release of Node. @type {(release: number) => Target[]} */
export const oneThread = (release) => [
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
  ...SHAPES,
  {
    what: `live set of 128, log-normal: Buffer.allocUnsafe at least ${release < 24 ? 25 : 15}x slower on this release`,
    ratio: 'live-set/128 buffers, log-normal/Buffer.allocUnsafe',
    least: release < 24 ? 25 : 15,
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
  ...['4000 B', 'mix', '4000 B, passed on', 'mix, passed on'].map((label) => ({
    what: `statistics and leak detection, ${label}: at most 1.05x of both compiled away`,
    ratio: `detection/${label}/slabpool`,
    most: 1.05,
  })),
  { what: 'steady state: no mark-sweep', fact: 'steady-state/mark-sweep collections', most: 0 },
  { what: 'steady state: nothing deoptimised', fact: 'steady-state/functions deoptimised', most: 0 },
  {
    what: 'steady state: no external memory per operation',
    fact: 'steady-state/external bytes per operation',
    most: 0.001,
  },
];
