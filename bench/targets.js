// What slabpool promises itself, held against what was measured.
import Table from 'cli-table3';
import { figure } from './format.js';

/** @typedef {{ ratios: Record<string, number>, facts: Record<string, number> }} Measured by 'bench/label/contender' */

/**
 * A ratio is a contender's time over slabpool's; with `ours` it is shown the other way round, as the target is put.
 * @typedef {{ what: string, ratio?: string, fact?: string, least?: number, most?: number, ours?: boolean }} Target
 */

const MIX = 'mix: log-normal, median 2 KiB';

/** Several threads. @type {Target[]} */
const THREADS = [
  {
    what: 'hand-over by Channel: recycled transfer at least 10x slower',
    ratio: 'handover/64 KiB/postMessage, recycled ArrayBuffers transferred there and back',
    least: 10,
  },
  {
    what: 'hand-over by Channel: fresh transfer at least 40x slower',
    ratio: 'handover/64 KiB/postMessage, fresh ArrayBuffers transferred',
    least: 40,
  },
  { what: "hand-over by tickets at most 1.5x of the Channel's time", fact: 'handover/tickets over Channel', most: 1.5 },
  { what: 'hand-over by tickets at most 600 ns', fact: 'handover/ns by tickets', most: 600 },
  ...['p50', 'p99'].map((p) => ({
    what: `latency by Channel, ${p}: at most 1.0 of postMessage`,
    fact: `latency/Channel over postMessage, ${p}`,
    most: 1,
  })),
  ...Object.entries({ '1 acquiring, 1 releasing': 8, '2 acquiring, 2 releasing': 5 }).flatMap(([label, times]) => [
    ...[1, 32].map((batch) => ({
      what: `xmalloc, ${label}: transfer of ${batch} a message at least ${times}x slower`,
      ratio: `xmalloc/${label}/fair JS pool, transfer of ${batch} a message`,
      least: times,
    })),
    { what: `xmalloc, ${label}: hit rate above 95 %`, fact: `xmalloc/${label}: hit rate`, least: 0.95 },
    {
      what: `xmalloc, ${label}: resident at most twice the live set`,
      fact: `xmalloc/${label}: resident over live set`,
      most: 2,
    },
  ]),
  {
    what: 'larson: fair pool and transfer at least 5x slower',
    ratio: 'larson/log-normal sizes, median 2 KiB/fair JS pool, inherited by transfer',
    least: 5,
  },
  {
    what: 'msgpass: recycled transfer at least 5x slower',
    ratio: 'msgpass/16 KiB/postMessage, recycled ArrayBuffers transferred',
    least: 5,
  },
  {
    what: 'scaling: two threads 1.9x of one, or as two processes (3 % is noise)',
    fact: 'scaling/two threads over 1.9, or over two processes if those reach less',
    least: 0.97,
  },
  { what: 'waiting: all are served', fact: 'waiting/served, of those that waited', least: 1 },
  {
    what: 'waiting: in the order of asking, per thread',
    fact: 'waiting/served before one that had asked earlier in the same thread',
    most: 0,
  },
  {
    what: 'waiting: no busy loop (2 % of a CPU is noise)',
    fact: 'waiting/share of a CPU while they wait and nobody releases',
    most: 0.02,
  },
  ...['RSS', 'address space', 'resident in the pool'].map((what) => ({
    what: `killed workers: ${what} grows by at most 10 % after the third sample`,
    fact: `churn/${what}, last sample over third`,
    most: 1.1,
  })),
];

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

const LINES = 'io/lines of a file, one field of each from its bytes';
const RECORDS = 'io/a thousand small records of mixed fields';

/** Readers and writers, on a release of Node. @type {(release: number) => Target[]} */
const io = (release) => [
  ...[
    ['frames of 1,000 B by TCP', release < 24 ? 3 : 4],
    ['frames of 1 MiB by TCP', 4.5],
  ].map(([what, least]) => ({
    what: `${what}: list and concat at least ${least}x`,
    ratio: `io/${what}/list`,
    least: Number(least),
  })),
  {
    what: `lines: readline at least ${release < 24 ? 8 : 4}x`,
    ratio: `${LINES}/readline`,
    least: release < 24 ? 8 : 4,
  },
  { what: 'lines: createReadStream at least 2.2x', ratio: `${LINES}/createReadStream, carrying over`, least: 2.2 },
  {
    what: `JSON lines: readline at least ${release < 24 ? 1.5 : 1}x`,
    ratio: 'io/JSON.parse of each line of a file/readline',
    least: release < 24 ? 1.5 : 1,
  },
  {
    what: 'whole files of 100 KiB: readFileSync at least 3.5x',
    ratio: 'io/whole files of 100 KiB/readFileSync',
    least: 3.5,
  },
  { what: 'whole files of 1 MiB: readFileSync at least 5x', ratio: 'io/whole files of 1 MiB/readFileSync', least: 5 },
  { what: 'small records: Buffer.concat at least 3.5x', ratio: `${RECORDS}/Buffer.concat`, least: 3.5 },
  { what: 'small records: bl at least 10x', ratio: `${RECORDS}/bl`, least: 10 },
  { what: 'small records: smart-buffer at least 3x', ratio: `${RECORDS}/smart-buffer, reused`, least: 3 },
  {
    what: 'small records: at most 1.05x of one static buffer',
    ratio: `${RECORDS}/one static buffer`,
    least: 1 / 1.05,
    ours: true,
  },
  {
    what: 'msgpackr: pack() and concat at least 1.5x',
    ratio: 'io/a thousand records by msgpackr/pack() and Buffer.concat',
    least: 1.5,
  },
  ...[
    `${LINES}/by hand, on leases`,
    'io/whole files of 100 KiB/by hand, on leases',
    'io/whole files of 1 MiB/by hand, on leases',
    `${RECORDS}/by hand on leases`,
    'io/frames of 1,000 B by TCP/hand-written',
    'io/frames of 1 MiB by TCP/hand-written',
  ].map((ratio) => ({
    what: `${ratio.slice(3).replace(/\/.*/, '')}: at most 1.15x of the loop by hand`,
    ratio,
    least: 1 / 1.15,
    ours: true,
  })),
  { what: 'idle connections: leases held', fact: 'io/leases of 100 idle connections', most: 0 },
];

/** Threads of piscina's. @type {Target[]} */
const WORKERS = ['cloned', 'transferList, a fresh ArrayBuffer each', 'transferList, ArrayBuffers that come back'].map(
  (how) => ({
    what: `workers, 1 MiB inputs: faster than piscina, ${how}`,
    ratio: `workers/1024 KiB/piscina, ${how}`,
    least: 1,
  }),
);

/** Bad days. @type {Target[]} */
const HOSTILE = [
  ...['mappings', 'RSS'].map((what) => ({
    what: `closed pools: ${what} after all of them at most 1.1 of those after 1,000`,
    fact: `hostile/${what}, after all over after 1,000`,
    most: 1.1,
  })),
  ...['all free', '1 in 512 leased'].flatMap((label) => [
    {
      what: `trim of 256 MiB, ${label}: at most a system call for each run of free pages`,
      fact: `hostile/trim of 256 MiB, ${label}: system calls over runs of free pages`,
      most: 1,
    },
    {
      what: `trim of 256 MiB, ${label}: an idle worker delayed at most 5 ms more than when nobody trims`,
      fact: `hostile/trim of 256 MiB, ${label}: above that, ms`,
      most: 5,
    },
  ]),
  ...['native', 'js'].flatMap((backend) => [
    ...['1,024', '65,536'].map((blocks) => ({
      what: `a refused acquire, ${backend} core, ${blocks} blocks out: at most 20 us`,
      fact: `hostile/a refused acquire, ${backend}, ${blocks} blocks out: us`,
      most: 20,
    })),
    {
      what: `8 MiB of 1 KiB leases, all but 1 in 32 released, ${backend} core: at least 7 MiB usable`,
      fact: `hostile/8 MiB of 1 KiB leases, all but 1 in 32 released, ${backend}: MiB usable`,
      least: 7,
    },
    {
      what: `256 idle connections of 2 KiB in 8 MiB, ${backend} core: at least 7 MiB usable`,
      fact: `hostile/256 idle connections of 2 KiB, ${backend}: MiB usable of 8`,
      least: 7,
    },
  ]),
  { what: 'close against send: no message lost', fact: 'hostile/close against send: messages lost', most: 0 },
  {
    what: 'beside a warm pool of 256 MiB: at most 1.1x the collections',
    fact: 'hostile/beside a warm pool of 256 MiB: collections over those without',
    most: 1.1,
  },
  {
    what: 'beside a warm pool of 256 MiB: at most 2 mark-sweeps more',
    fact: 'hostile/beside a warm pool of 256 MiB: mark-sweeps more than without',
    most: 2,
  },
];

/** Pools of resources. @type {Target[]} */
const RESOURCES = [
  ...['tarn', 'generic-pool', 'lightning-pool', 'pg-pool'].map((name) => ({
    what: `resources, acquire and release: ${name} at least as slow`,
    ratio: `resources/acquire and release, an idle one there/${name}`,
    least: 1,
  })),
  { what: 'resources, 10,000 who wait: all are served', fact: 'resources/served, of 10,000 at once', least: 1 },
  { what: 'resources, 10,000 who wait: in order', fact: 'resources/served out of order', most: 0 },
  {
    what: 'resources, 10,000 who wait: memory comes back (a byte of each is noise)',
    fact: 'resources/bytes of memory that stay of each',
    most: 1,
  },
  {
    what: 'resources, one of 8 shards slow: the other seven within 5 %',
    fact: 'resources/one of 8 shards slow: rate of the other seven over that without',
    least: 0.95,
  },
  ...['pg-pool, query()', 'pg-pool, connect() and release()'].map((name) => ({
    what: `PostgreSQL, 32 clients on 10 connections: ${name} at least as slow (3 % is noise)`,
    ratio: `resources/PostgreSQL, SELECT 1, 32 clients on 10 connections/${name}`,
    least: 0.97,
  })),
  {
    what: "PostgreSQL: p99 no worse than pg-pool's (3 % is noise)",
    fact: "resources/PostgreSQL: pg-pool's p99 over ours",
    least: 0.97,
  },
  ...Object.entries({
    'ms until 90 % of the rate': 1000,
    'longest request, ms': 5000,
    'connections beyond maxSize': 0,
    'connections left after close()': 0,
  }).map(([what, most]) => ({
    what: `PostgreSQL killed and back: ${what}, at most ${most}`,
    fact: `resources/PostgreSQL killed and back: ${what}`,
    most,
  })),
  ...Object.entries({ 'requests lost': 0, 'ms until all move to the spare': 1000, 'ms until all are back': 1000 }).map(
    ([what, most]) => ({
      what: `an outage of 30 s: ${what}, at most ${most}`,
      fact: `resources/an outage: ${what}`,
      most,
    }),
  ),
];

/** Where the kernel populates. @type {Target[]} */
const COLD = [
  {
    what: 'cold 64 KiB, all pages touched: Buffer.allocUnsafeSlow at least 8x',
    ratio: 'cold/1,000 blocks of 64 KiB, all pages touched/Buffer.allocUnsafeSlow(65,536)',
    least: 8,
  },
  {
    what: 'burst of 256 MiB, a second time: Buffer.allocUnsafeSlow at least 5x',
    ratio:
      'cold/a burst of 256 MiB in 64 KiB blocks, after the one before it has decayed/Buffer.allocUnsafeSlow(65,536)',
    least: 5,
  },
  {
    what: 'prewarm of 64 MiB: a read and a write of each page at least 8x',
    ratio: 'cold/prewarm of 64 MiB/two faults a page, a read and a write',
    least: 8,
  },
  {
    what: 'cold 1 MiB, one byte touched: at most 4x of a fault for it',
    ratio: 'cold/a block of 1 MiB, one byte touched/slabpool, by faults',
    least: 1 / 4,
    ours: true,
  },
  {
    what: 'cold 1 MiB, all pages touched: at least 5x one byte',
    ratio: 'cold/a block of 1 MiB, one byte touched/all pages touched',
    least: 5,
  },
];

/** Pools of objects. @type {Target[]} */
const OBJECTS = [
  {
    what: 'small objects: generic-pool, which checks, at least 10x slower',
    ratio: 'objects/small object, in an async function/generic-pool, checks that what comes back is out',
    least: 10,
  },
  ...[
    'acquire, touch, release',
    'passed on through a field',
    'bursts of 1,000',
    'a live set of 1,024, one replaced',
  ].map((kind) => ({
    what: `medium objects, ${kind}: a new one each time at least 1.2x slower`,
    ratio: `objects/medium object: ${kind}/a new one each time`,
    least: 1.2,
  })),
  {
    what: 'an encoder with its writer: a writer each time at least 1.2x slower',
    ratio: 'objects/an encoder of records/a ByteWriter each time',
    least: 1.2,
  },
];

/** All of them, on a release of Node. @type {(release: number) => Target[]} */
const targets = (release) => [
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
  {
    what: 'jagged: one growable tier takes at least 5x the memory',
    fact: 'jagged/peak memory of one growable tier over ours',
    least: 5,
  },
  { what: 'jagged: one growable tier is not faster', ratio: 'jagged/jagged/one tier, growable', least: 1 },
  { what: 'budget: resident never above maxBytes', fact: 'budget/most resident over maxBytes', most: 1 },
  {
    what: 'decay: at most 5 % of a burst left after two idle epochs',
    fact: 'decay/left after two epochs, of the burst',
    most: 0.05,
  },
  {
    what: 'decay: no page is given back between bursts every half epoch',
    fact: 'decay/page faults over pages',
    most: 0.01,
  },
  {
    what: 'decay: event loop delayed at most 2 ms more than when idle',
    fact: 'decay/longest delay above idle, ms',
    most: 2,
  },
  {
    what: 'memory limit: a service at 95 % of it survives',
    fact: 'memory-limit/rounds survived, of those begun',
    least: 1,
  },
  {
    what: 'memory limit: one look later at most 1 % of what was released is left',
    fact: 'memory-limit/free a look after the release, of what was released',
    most: 0.01,
  },
  { what: 'core: refill + flush of 32 at most 150 ns', fact: 'core/ns, one batch out', most: 150 },
  ...[
    ['live set of 1,024, median 2 KiB', 1],
    ['live set of 16,384, median 2 KiB', 1],
    ['live set of 1,024, median 32 KiB', 1],
    ['xmalloc 1 + 1, median 2 KiB', 0.5],
    ['xmalloc 2 + 2, median 2 KiB', 0.5],
    ['xmalloc 1 + 1, median 32 KiB', 0.5],
    ['xmalloc 2 + 2, median 32 KiB', 0.5],
  ].flatMap(([label, most]) =>
    ['single blocks', 'batches'].map((units) => ({
      what: `core: ${label}, ${units}: at most ${Number(most).toFixed(1)} of the fastest malloc's time`,
      fact: `core/${label}, ${units}: time over the fastest malloc's`,
      most: Number(most),
    })),
  ),
  ...COLD,
  ...OBJECTS,
  ...io(release),
  ...THREADS,
  ...WORKERS,
  ...HOSTILE,
  ...RESOURCES,
];

/**
 * What targets are held against.
 * @param {readonly import('./results.js').Committed[]} all of one runtime @returns {Measured}
 */
export function measuredOf(all) {
  /** @type {Measured} */
  const measured = { ratios: {}, facts: {} };
  for (const { name, results } of all) {
    for (const [label, cases] of Object.entries(results.results)) {
      if (typeof cases === 'number') measured.facts[`${name}/${label}`] = cases;
      else for (const one of cases) measured.ratios[`${name}/${label}/${one.name}`] = one.ratio;
    }
  }
  return measured;
}

/** `shown`: as the target puts it. @typedef {{ what: string, bench: string, shown: number, met: boolean }} Verdict */

/** The targets of which something was measured. @param {Measured} measured @param {string} runtime @returns {Verdict[]} */
export function judge({ ratios, facts }, runtime) {
  return targets(releaseOf(runtime)).flatMap(
    ({ what, ratio, fact, least = -Infinity, most = Infinity, ours = false }) => {
      const value = ratio === undefined ? facts[/** @type {string} */ (fact)] : ratios[ratio];
      return value === undefined
        ? []
        : [
            {
              what,
              bench: benchOf(ratio ?? fact),
              shown: ours ? 1 / value : value,
              met: value >= least && value <= most,
            },
          ];
    },
  );
}

/**
 * Targets of these benchmarks that they have no figure for, where they have left nothing out.
 * @param {readonly import('./results.js').Committed[]} all @param {string} runtime @returns {string[]}
 */
export function unmeasured(all, runtime) {
  const whole = all.filter(({ results }) => results.leftOut === undefined).map(({ name }) => name);
  const { ratios, facts } = measuredOf(all);
  return targets(releaseOf(runtime)).flatMap(({ what, ratio, fact }) => {
    const key = /** @type {string} */ (ratio ?? fact);
    return whole.includes(benchOf(key)) && !(key in ratios) && !(key in facts) ? [what] : [];
  });
}

/**
 * The targets, and what each runtime has of them.
 * @param {readonly import('./results.js').Committed[]} all
 */
export function byRuntime(all) {
  const runtimes = [...new Set(all.map(({ runtime }) => runtime))];
  /** @type {Map<string, Map<string, Verdict>>} */
  const rows = new Map();
  for (const runtime of runtimes) {
    const measured = measuredOf(all.filter((one) => one.runtime === runtime));
    for (const verdict of judge(measured, runtime)) {
      rows.set(verdict.what, (rows.get(verdict.what) ?? new Map()).set(runtime, verdict));
    }
  }
  const verdicts = [...rows.values()].flatMap((of) => [...of.values()]);
  return { runtimes, rows, met: verdicts.filter(({ met }) => met).length, of: verdicts.length };
}

/** @param {Measured} measured @param {string} runtime */
export function verdicts(measured, runtime) {
  const grid = new Table({ head: ['target', 'measured', ''], style: { head: [], border: [] } });
  for (const { what, shown, met } of judge(measured, runtime)) grid.push([what, figure(shown), met ? 'met' : 'MISSED']);
  return grid.toString();
}

/** @param {string | undefined} key of a ratio or a fact */
const benchOf = (key = '') => key.replace(/\/.*/, '');

/** Others are asked for what the last one is. @param {string} runtime */
const releaseOf = (runtime) => (runtime.startsWith('node') ? Number(runtime.slice(4)) : Infinity);
