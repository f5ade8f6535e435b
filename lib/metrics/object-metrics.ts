import type { ObjectPoolStats } from '../stats/object-stats.js';
import { type Metric, row } from './metric.js';

const object = row<ObjectPoolStats>;

/** Metrics of an object pool: 19 series for each pool. */
export const OBJECT_METRICS: readonly Metric[] = [
  object('object.idle', 'level', '{object}', 'thread', [], 'Objects that nobody uses.', (s) => s.idle),
  object('object.idle.max', 'level', '{object}', 'thread', [], 'The most idle ones: maxIdle.', (s) => s.maxIdle),
  object(
    'object.outstanding_leases',
    'level',
    '{lease}',
    'thread',
    [],
    'Leases out; those that were forgotten and are not tracked among them.',
    (s) => s.outstanding,
  ),
  object('object.peak', 'mark', '{object}', 'thread', [], 'The most objects at once so far.', (s) => s.peak),
  object(
    'object.acquires',
    'counter',
    '{acquire}',
    'thread',
    ['step'],
    'Leases taken: of an idle object, or of a new one.',
    (s) => [
      [s.hits, 'idle'],
      [s.misses, 'create'],
    ],
  ),
  object('object.created', 'counter', '{object}', 'thread', [], 'Objects created.', (s) => s.created),
  object('object.dropped', 'counter', '{object}', 'thread', ['reason'], 'Objects dropped.', (s) =>
    Object.entries(s.drops).map(([reason, count]) => [count, reason]),
  ),
  object('object.failures', 'counter', '{call}', 'thread', ['callback'], 'Callbacks that threw.', (s) =>
    Object.entries(s.failures).map(([callback, count]) => [count, callback]),
  ),
  object(
    'object.tracked_leases',
    'level',
    '{lease}',
    'thread',
    [],
    'Leases out that are tracked.',
    (s) => s.leaks.tracked,
  ),
  object(
    'object.leaked_leases',
    'counter',
    '{lease}',
    'thread',
    [],
    'Tracked leases that were collected without a release.',
    (s) => s.leaks.collected,
  ),
];
