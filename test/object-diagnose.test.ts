import { describe, expect, test } from 'vitest';
import { diagnoseObjects } from '../dist/diagnose/objects.js';
import type { ObjectPoolStats } from '../lib/stats/object-stats.js';
import { thingPool } from './objects.js';

/** Stats of a pool in good order, but for what is given. */
function sample(given: Partial<ObjectPoolStats> = {}): ObjectPoolStats {
  const { pool } = thingPool({ name: 'sample' });
  const stats = pool.stats();
  pool.close();
  const { acquires = 10_000, misses = 10 } = given;
  const made = { acquires, misses, hits: acquires - misses, hitRate: 1 - misses / acquires, created: misses, idle: 10 };
  return { ...stats, ...made, ...given };
}

const found = (stats: ObjectPoolStats) =>
  diagnoseObjects(stats).findings.map(({ id, severity }) => `${severity} ${id}`);

describe('what diagnose() finds of an object pool', () => {
  const { drops } = sample();

  test.each<[string, Partial<ObjectPoolStats>, string[]]>([
    ['nothing is wrong', {}, ['ok hit-rate']],
    ['too few acquires', { acquires: 999, misses: 999 }, ['note too-few-acquires']],
    ['a lower hit rate', { misses: 600 }, ['note hit-rate']],
    ['most objects are created', { misses: 6000 }, ['debt hit-rate']],
    ['maxIdle is too low', { misses: 501, drops: { ...drops, full: 600 } }, ['warning evicted', 'note hit-rate']],
    ['maxIdle was too low once', { misses: 400, drops: { ...drops, full: 300 } }, ['ok hit-rate']],
    ['a veto', { misses: 2000, drops: { ...drops, vetoed: 2000 } }, ['warning vetoed', 'note hit-rate']],
    ['decay', { misses: 2000, drops: { ...drops, decayed: 2000 } }, ['warning decay', 'note hit-rate']],
    [
      'leaks',
      { leaks: { detection: 'sampled', sampleRate: 4096, tracked: 0, collected: 1 } },
      ['warning collected', 'ok hit-rate'],
    ],
    [
      'callbacks that throw',
      { failures: { create: 0, reset: 1, keep: 0, destroy: 2 } },
      ['warning failed', 'ok hit-rate'],
    ],
  ])('%s', (_, given, expected) => {
    expect(found(sample(given))).toEqual(expected);
  });

  test('the advice follows the cause', () => {
    const advice = (given: Partial<ObjectPoolStats>) =>
      diagnoseObjects(sample(given)).findings.find(({ id }) => id === 'hit-rate')?.advice;
    expect(advice({ misses: 6000, outstanding: 5990 })).toMatch(/^Remove the pool, or release leases: plain objects/);
    expect(advice({ misses: 6000 })).toMatch(/^Remove the pool, or keep more of what is released/);
    expect(advice({ misses: 600 })).toMatch(/^Healthy is above 95 %: keep more/);
  });

  test('the report is one of the pool, and its stats survive JSON', () => {
    const { pool } = thingPool({ maxIdle: 0 });
    for (let i = 0; i < 2000; i++) pool.acquire().release();
    const diagnosis = pool.diagnose();
    expect(String(diagnosis)).toMatch(/^pool 'things': debt\n {2}debt {4}hit-rate: hit rate 0 % of 2,000 acquires/);
    expect(diagnosis.findings.map(({ id }) => id)).toEqual(['hit-rate', 'evicted']);
    const stats = pool.stats();
    expect(JSON.parse(JSON.stringify(stats))).toEqual(stats);
    pool.close();
  });
});
