import { STEPS } from '../core/core.js';
import type { ClassStats, Hits, PoolStats } from '../stats/stats.js';

/** A label tells the series of one pool apart in one metric, beside the pool's name. */
export type Label = 'backend' | 'level' | 'reason' | 'source' | 'state' | 'step' | 'tier';

/** A point is a value, and the values of the metric's labels in their order. */
export type Point = readonly [value: number, ...labels: (string | number)[]];

/**
 * A metric is what can be exported of a pool; the exporters for Prometheus and OpenTelemetry make their own of it.
 * Nothing is counted for it: each is read from a snapshot.
 *
 * Names are OpenTelemetry's, below `slabpool.`, and follow its conventions for pools
 * (`db.client.connection.pending_requests`, `.timeouts`) and memory (`system.memory.usage` by state, `.limit`).
 * Prometheus' are made from them by the rules of the specification *Prometheus and OpenMetrics Compatibility*, so that
 * both ways end in the same names: {@link prometheusName}.
 */
export interface Metric {
  readonly name: string;
  /** A `level` can be added up over pools, a `mark` cannot. */
  readonly kind: 'counter' | 'level' | 'mark';
  /** The unit in UCUM; what is in braces only says what is counted. */
  readonly unit: string;
  readonly help: string;
  /** Whether the metric is about all threads that have the pool, or about the one that exports. */
  readonly of: 'pool' | 'thread';
  readonly labels: readonly Label[];
  read(stats: PoolStats): readonly Point[];
}

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

/** A row of the tables; `read` may answer with a bare number where there is no label. */
function row(
  name: string,
  kind: Metric['kind'],
  unit: string,
  of: Metric['of'],
  labels: readonly Label[],
  help: string,
  read: (stats: PoolStats) => number | readonly Point[],
): Metric {
  const points = (stats: PoolStats): readonly Point[] => {
    const result = read(stats);
    return typeof result === 'number' ? [[result]] : result;
  };
  return { name, kind, unit, of, labels, help, read: points };
}

/** Metrics of a pool as a whole: at most 48 series for each pool. */
export const POOL_METRICS: readonly Metric[] = [
  row('pools', 'level', '{pool}', 'pool', ['backend'], 'Pools, by the core that runs them.', (s) => [[1, s.backend]]),
  row('threads', 'level', '{thread}', 'pool', [], 'Threads that have the pool.', (s) => s.threads.length),

  row('memory.limit', 'level', 'By', 'pool', [], 'The budget: maxBytes.', (s) => s.maxBytes),
  row(
    'memory.resident',
    'level',
    'By',
    'pool',
    [],
    'What is charged to the budget; never above the limit.',
    (s) => s.residentBytes,
  ),
  row(
    'memory.usage',
    'level',
    'By',
    'pool',
    ['state'],
    'Resident bytes by where they are; while no thread moves blocks, they add up to the resident ones.',
    parts,
  ),
  row('memory.peak', 'mark', 'By', 'pool', [], 'The most resident bytes so far.', (s) => s.peak.residentBytes),
  row('memory.cold', 'level', 'By', 'pool', [], 'Address space without memory behind it.', (s) => s.coldBytes),
  row(
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
  row(
    'memory.overhead',
    'level',
    'By',
    'thread',
    [],
    'Outside the budget: what ArrayBuffers of blocks cost the runtime, an estimate.',
    (s) => s.overheadBytes,
  ),
  row('mapped_blocks', 'level', '{block}', 'thread', [], 'Blocks that have an ArrayBuffer.', (s) => s.mappedBlocks),
  row(
    'retired_blocks',
    'counter',
    '{block}',
    'pool',
    [],
    'Blocks lost because holders detached their ArrayBuffers.',
    (s) => s.drops.retired,
  ),

  row(
    'acquires',
    'counter',
    '{acquire}',
    'pool',
    ['step'],
    'Pooled leases taken, by the place that served them; cold and slab are misses.',
    (s) => steps(s.hits),
  ),
  row('exhausted', 'counter', '{acquire}', 'pool', [], 'Acquires that the budget refused.', (s) => s.exhausted),
  row(
    'outstanding_leases',
    'level',
    '{lease}',
    'pool',
    [],
    'Leases out; of oversize ones, those of the exporting thread.',
    (s) => s.outstanding,
  ),

  row('wait.requests', 'counter', '{request}', 'pool', [], 'Requests that had to wait.', (s) => s.waits.total),
  row('wait.pending_requests', 'level', '{request}', 'pool', [], 'Requests that wait now.', (s) => s.waits.waiting),
  row('wait.peak', 'mark', '{request}', 'pool', [], 'The most that waited at once so far.', (s) => s.peak.waiting),
  row('wait.timeouts', 'counter', '{request}', 'thread', [], 'Waits whose time was up.', (s) => s.waits.timedOut),
  row('wait.aborts', 'counter', '{request}', 'thread', [], 'Waits that were aborted.', (s) => s.waits.aborted),
  row('wait.time', 'counter', 's', 'thread', [], 'What served requests have waited.', (s) => s.waits.totalMs / 1000),

  row('hold.leases', 'counter', '{lease}', 'thread', [], 'Tracked leases that ended.', (s) => s.holds.samples),
  row(
    'hold.time',
    'counter',
    's',
    'thread',
    [],
    'How long these were out, all together.',
    (s) => s.holds.totalMs / 1000,
  ),
  row('tracked_leases', 'level', '{lease}', 'thread', [], 'Leases out that are tracked.', (s) => s.leaks.tracked),
  row(
    'leaked_leases',
    'counter',
    '{lease}',
    'thread',
    [],
    'Tracked leases that were collected without a release.',
    (s) => s.leaks.collected,
  ),

  row('oversize.limit', 'level', 'By', 'thread', [], 'The cap: maxOversizeBytes.', (s) => s.oversize.maxBytes),
  row('oversize.usage', 'level', 'By', 'thread', [], 'Bytes of oversize leases out.', (s) => s.oversize.leasedBytes),
  row('oversize.peak', 'mark', 'By', 'thread', [], 'The most of these so far.', (s) => s.peak.oversizeBytes),
  row('oversize.acquires', 'counter', '{acquire}', 'thread', [], 'Oversize leases taken.', (s) => s.oversize.acquires),
  row('oversize.refused', 'counter', '{acquire}', 'thread', [], 'Those that did not fit.', (s) => s.oversize.refused),

  row(
    'pressure.level',
    'level',
    '{pool}',
    'pool',
    ['level'],
    'How short memory is: 1 for the level that the janitor saw last.',
    (s) => LEVELS.map((level) => [s.pressure.level === level ? 1 : 0, level]),
  ),
  row('pressure.usage', 'mark', 'By', 'pool', ['source'], 'Memory in use by system or container.', (s) =>
    seen(s, s.pressure.usedBytes),
  ),
  row('pressure.limit', 'mark', 'By', 'pool', ['source'], 'What they have.', (s) => seen(s, s.pressure.limitBytes)),
];

/** Metrics of each tier: 17 series, for up to 128 tiers of each pool, which is why these have to be asked for. */
export const TIER_METRICS: readonly Metric[] = [
  row(
    'tier.usage',
    'level',
    'By',
    'pool',
    ['tier', 'state'],
    'Resident bytes of it by where they are.',
    ({ classes }) =>
      classes.flatMap((tier) => parts(tier).map(([bytes, state]): Point => [bytes, tier.capacity, state])),
  ),
  row('tier.peak', 'mark', 'By', 'pool', ['tier'], 'The most resident bytes of it so far.', ({ classes }) =>
    classes.map((tier) => [tier.peakResidentBytes, tier.capacity]),
  ),
  row('tier.cold', 'level', 'By', 'pool', ['tier'], 'Its address space without memory behind it.', ({ classes }) =>
    classes.map((tier) => [tier.coldBytes, tier.capacity]),
  ),
  row('tier.slabs', 'level', '{slab}', 'pool', ['tier'], 'Address ranges that were carved for it.', ({ classes }) =>
    classes.map((tier) => [tier.slabs, tier.capacity]),
  ),
  row(
    'tier.acquires',
    'counter',
    '{acquire}',
    'pool',
    ['tier', 'step'],
    'Leases of it taken, by the place that served them.',
    ({ classes }) =>
      classes.flatMap((tier) => steps(tier.hits).map(([count, step]): Point => [count, tier.capacity, step])),
  ),
  row('tier.outstanding_leases', 'level', '{lease}', 'pool', ['tier'], 'Leases of it that are out.', ({ classes }) =>
    classes.map((tier) => [tier.outstanding, tier.capacity]),
  ),
];

const SUFFIX: Readonly<Record<string, string>> = { By: '_bytes', s: '_seconds' };

/** The name in Prometheus: dots are underscores, the unit's word and for counters `_total` come last. */
export function prometheusName({ name, unit, kind }: Metric): string {
  return `slabpool_${name.replaceAll('.', '_')}${SUFFIX[unit] ?? ''}${kind === 'counter' ? '_total' : ''}`;
}
