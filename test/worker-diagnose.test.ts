import type { WorkerPoolStats } from 'slabpool/worker';
import { expect, test } from 'vitest';
import { diagnoseWorkers } from '../dist/diagnose/workers.js';

const ms = (p50: number) => ({ mean: p50, p50, p99: 4 * p50, max: 10 * p50 });

/** Of a pool that is healthy, but for what is given. */
function sample(given: Partial<WorkerPoolStats> = {}): WorkerPoolStats {
  return {
    ...{ kind: 'worker', name: 'sample', ageMs: 60_000, minThreads: 0, maxThreads: 4, maxQueue: 4, threads: 4 },
    ...{ jobs: 10_000, queued: 0, running: 0, completed: 10_000, failed: 0, timedOut: 0, aborted: 0 },
    ...{ producersWaiting: 0, deaths: 0, utilization: 0.5, waitMs: ms(1), runMs: ms(5) },
    ...given,
  } satisfies WorkerPoolStats;
}

test('a healthy pool: one finding, that it is', () => {
  expect(String(diagnoseWorkers(sample()))).toBe(
    "pool 'sample': ok\n  ok      jobs: half of 10,000 jobs took 5 ms or less, their way to a thread and back included",
  );
});

test.each<[string, Partial<WorkerPoolStats>, string, string, RegExp]>([
  ['few jobs', { completed: 999 }, 'note', 'too-few-jobs', /999 jobs so far, below 1,000/],
  ['jobs that are mostly their way', { runMs: ms(0.1) }, 'debt', 'jobs', /took 0\.1 ms or less/],
  [
    'jobs that wait longer than they take',
    { utilization: 0.95, waitMs: ms(6) },
    'note',
    'threads-too-few',
    /4 threads are busy for 95 %/,
  ],
  ['threads that died', { deaths: 2 }, 'warning', 'deaths', /2 threads have died/],
  ['jobs that gave up', { timedOut: 3, aborted: 1 }, 'note', 'given-up', /3 got no thread in time, and 1 were aborted/],
])('%s', (_, given, severity, id, text) => {
  const found = diagnoseWorkers(sample(given)).findings.filter((finding) => finding.severity !== 'ok');
  expect(found.map((finding) => [finding.severity, finding.id])).toEqual([[severity, id]]);
  expect(found[0]?.text).toMatch(text);
  expect(found[0]?.advice).not.toBe('');
  for (const figure of Object.values(found[0]?.figures ?? {}).flat()) expect(figure).toSatisfy(Number.isFinite);
});

test.each([
  ['busy threads whose jobs hardly wait', { utilization: 0.95, waitMs: ms(4) }],
  ['jobs that wait where threads are not busy: they come all at once', { utilization: 0.2, waitMs: ms(50) }],
])('nothing is found of %s', (_, given) => {
  expect(diagnoseWorkers(sample(given)).severity).toBe('ok');
});
