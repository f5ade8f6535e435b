import { STEPS } from '../core/core.js';
import type { ClassStats, Hits, PoolStats } from '../stats/stats.js';
import { type Metric, type Point, row } from './metric.js';

/** Parts that add up to the resident bytes. */
function parts(of: PoolStats | ClassStats): readonly (readonly [bytes: number, state: string])[] {
  const {
    leasedBytes,
    inFlightBytes,
    cachedBytes,
    magazineBytes,
    victimBytes,
    quarantinedBytes,
    retiredBytes,
    pinnedBytes,
  } = of;
  return [
    [leasedBytes, 'leased'],
    [inFlightBytes, 'in_flight'],
    [magazineBytes, 'magazine'],
    // While other threads move blocks, the parts of a snapshot are not of one moment.
    [Math.max(0, cachedBytes - magazineBytes - victimBytes), 'depot'],
    [victimBytes, 'victim'],
    [quarantinedBytes, 'quarantined'],
    [retiredBytes, 'retired'],
    [pinnedBytes, 'pinned'],
  ];
}

const steps = (hits: Hits) => (['magazine', ...STEPS] as const).map((step) => [hits[step], step] as const);

const LEVELS = ['none', 'high', 'critical'] as const;

/** No point before the janitor's first look: a limit of 0 would be a lie. */
const seen = ({ pressure }: PoolStats, bytes: number): readonly Point[] =>
  pressure.source === 'none' ? [] : [[bytes, pressure.source]];

const buffer = row<PoolStats>;

/** Metrics of a buffer pool as a whole: at most 49 series for each pool. */
export const BUFFER_METRICS: readonly Metric[] = [
  buffer('pools', 'level', '{pool}', 'pool', ['backend'], 'Pools, by the core that runs them.', (s) => [
    [1, s.backend],
  ]),
  buffer('threads', 'level', '{thread}', 'pool', [], 'Threads that have the pool.', (s) => s.threads.length),

  buffer('memory.limit', 'level', 'By', 'pool', [], 'The budget: maxBytes.', (s) => s.maxBytes),
  buffer(
    'memory.resident',
    'level',
    'By',
    'pool',
    [],
    'What is charged to the budget; never above the limit.',
    (s) => s.residentBytes,
  ),
  buffer(
    'memory.usage',
    'level',
    'By',
    'pool',
    ['state'],
    'Resident bytes by where they are; while no thread moves blocks, they add up to the resident ones.',
    parts,
  ),
  buffer('memory.peak', 'mark', 'By', 'pool', [], 'The most resident bytes so far.', (s) => s.peak.residentBytes),
  buffer('memory.cold', 'level', 'By', 'pool', [], 'Address space without memory behind it.', (s) => s.coldBytes),
  buffer(
    'memory.reclaimed',
    'counter',
    'By',
    'pool',
    ['reason'],
    'Given back to the operating system: unused for two epochs, by trim(), for another tier, or because memory was short.',
    ({ drops }) => [
      [drops.decayBytes, 'decay'],
      [drops.trimBytes, 'trim'],
      [drops.exhaustedBytes, 'exhausted'],
      [drops.pressureBytes, 'pressure'],
    ],
  ),
  buffer(
    'memory.overhead',
    'level',
    'By',
    'thread',
    [],
    'Outside the budget: what ArrayBuffers of blocks cost the runtime, an estimate.',
    (s) => s.overheadBytes,
  ),
  buffer('mapped_blocks', 'level', '{block}', 'thread', [], 'Blocks that have an ArrayBuffer.', (s) => s.mappedBlocks),
  buffer(
    'retired_blocks',
    'counter',
    '{block}',
    'pool',
    [],
    'Blocks lost because holders detached their ArrayBuffers.',
    (s) => s.drops.retired,
  ),

  buffer(
    'acquires',
    'counter',
    '{acquire}',
    'pool',
    ['step'],
    'Pooled leases taken, by the place that served them; cold and slab are misses.',
    (s) => steps(s.hits),
  ),
  buffer('exhausted', 'counter', '{acquire}', 'pool', [], 'Acquires that the budget refused.', (s) => s.exhausted),
  buffer(
    'outstanding_leases',
    'level',
    '{lease}',
    'pool',
    [],
    'Leases out; of oversize ones, those of the exporting thread.',
    (s) => s.outstanding,
  ),

  buffer('wait.requests', 'counter', '{request}', 'pool', [], 'Requests that had to wait.', (s) => s.waits.total),
  buffer('wait.pending_requests', 'level', '{request}', 'pool', [], 'Requests that wait now.', (s) => s.waits.waiting),
  buffer('wait.peak', 'mark', '{request}', 'pool', [], 'The most that waited at once so far.', (s) => s.peak.waiting),
  buffer('wait.timeouts', 'counter', '{request}', 'thread', [], 'Waits whose time was up.', (s) => s.waits.timedOut),
  buffer('wait.aborts', 'counter', '{request}', 'thread', [], 'Waits that were aborted.', (s) => s.waits.aborted),
  buffer('wait.time', 'counter', 's', 'thread', [], 'What served requests have waited.', (s) => s.waits.totalMs / 1000),

  buffer('hold.leases', 'counter', '{lease}', 'thread', [], 'Tracked leases that ended.', (s) => s.holds.samples),
  buffer(
    'hold.time',
    'counter',
    's',
    'thread',
    [],
    'How long these were out, all together.',
    (s) => s.holds.totalMs / 1000,
  ),
  buffer('tracked_leases', 'level', '{lease}', 'thread', [], 'Leases out that are tracked.', (s) => s.leaks.tracked),
  buffer(
    'leaked_leases',
    'counter',
    '{lease}',
    'thread',
    [],
    'Tracked leases that were collected without a release.',
    (s) => s.leaks.collected,
  ),

  buffer('oversize.limit', 'level', 'By', 'thread', [], 'The cap: maxOversizeBytes.', (s) => s.oversize.maxBytes),
  buffer('oversize.usage', 'level', 'By', 'thread', [], 'Bytes of oversize leases out.', (s) => s.oversize.leasedBytes),
  buffer('oversize.peak', 'mark', 'By', 'thread', [], 'The most of these so far.', (s) => s.peak.oversizeBytes),
  buffer(
    'oversize.acquires',
    'counter',
    '{acquire}',
    'thread',
    [],
    'Oversize leases taken.',
    (s) => s.oversize.acquires,
  ),
  buffer(
    'oversize.refused',
    'counter',
    '{acquire}',
    'thread',
    [],
    'Those that did not fit.',
    (s) => s.oversize.refused,
  ),

  buffer(
    'pressure.level',
    'level',
    '{pool}',
    'pool',
    ['level'],
    'How short memory is: 1 for the level that the janitor saw last.',
    (s) => LEVELS.map((level) => [s.pressure.level === level ? 1 : 0, level]),
  ),
  buffer('pressure.usage', 'mark', 'By', 'pool', ['source'], 'Memory in use by system or container.', (s) =>
    seen(s, s.pressure.usedBytes),
  ),
  buffer('pressure.limit', 'mark', 'By', 'pool', ['source'], 'What they have.', (s) => seen(s, s.pressure.limitBytes)),
];

/** Metrics of each tier: 18 series, for up to 128 tiers of each pool, which is why these have to be asked for. */
export const TIER_METRICS: readonly Metric[] = [
  buffer(
    'tier.usage',
    'level',
    'By',
    'pool',
    ['tier', 'state'],
    'Resident bytes of it by where they are.',
    ({ classes }) =>
      classes.flatMap((tier) => parts(tier).map(([bytes, state]): Point => [bytes, tier.capacity, state])),
  ),
  buffer('tier.peak', 'mark', 'By', 'pool', ['tier'], 'The most resident bytes of it so far.', ({ classes }) =>
    classes.map((tier) => [tier.peakResidentBytes, tier.capacity]),
  ),
  buffer('tier.cold', 'level', 'By', 'pool', ['tier'], 'Its address space without memory behind it.', ({ classes }) =>
    classes.map((tier) => [tier.coldBytes, tier.capacity]),
  ),
  buffer('tier.slabs', 'level', '{slab}', 'pool', ['tier'], 'Address ranges that were carved for it.', ({ classes }) =>
    classes.map((tier) => [tier.slabs, tier.capacity]),
  ),
  buffer(
    'tier.acquires',
    'counter',
    '{acquire}',
    'pool',
    ['tier', 'step'],
    'Leases of it taken, by the place that served them.',
    ({ classes }) =>
      classes.flatMap((tier) => steps(tier.hits).map(([count, step]): Point => [count, tier.capacity, step])),
  ),
  buffer('tier.outstanding_leases', 'level', '{lease}', 'pool', ['tier'], 'Leases of it that are out.', ({ classes }) =>
    classes.map((tier) => [tier.outstanding, tier.capacity]),
  ),
];
