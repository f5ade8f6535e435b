import { formatCount, formatDuration, formatShare } from '../base/format.js';
import type { WorkerPoolStats } from '../stats/worker-stats.js';
import { Diagnosis, ENOUGH_ACQUIRES, type Finding } from './diagnosis.js';

/** Milliseconds, the way to a thread and back included: of shorter jobs most is the way. */
const SHORT_JOB_MS = 0.2;
/** Threads that are busy for more than this share of their time keep jobs waiting. */
const BUSY = 0.9;

/** Says whether a pool of workers gains anything, and what holds its jobs up, from a snapshot alone. */
export function diagnoseWorkers(stats: WorkerPoolStats): Diagnosis {
  const judged = stats.completed >= ENOUGH_ACQUIRES;
  return new Diagnosis(stats.name, [
    ...(judged ? [length(stats), ...waits(stats)] : [tooFew(stats)]),
    ...deaths(stats),
    ...givenUp(stats),
  ]);
}

function tooFew({ completed }: WorkerPoolStats): Finding {
  return {
    id: 'too-few-jobs',
    severity: 'note',
    text: `${formatCount(completed)} jobs so far, below ${formatCount(ENOUGH_ACQUIRES)}: too few to judge the pool by`,
    advice: 'Ask again under load.',
    figures: { completed, enough: ENOUGH_ACQUIRES },
  };
}

function length({ completed, runMs }: WorkerPoolStats): Finding {
  const figures = { completed, meanMs: runMs.mean, p50Ms: runMs.p50, p99Ms: runMs.p99 };
  const text = `half of ${formatCount(completed)} jobs took ${formatDuration(runMs.p50)} or less, their way to a thread and back included`;
  if (runMs.p50 >= SHORT_JOB_MS) return { id: 'jobs', severity: 'ok', text, advice: '', figures };
  return {
    id: 'jobs',
    severity: 'debt',
    text,
    advice: 'Do such work where it is, or give a thread much of it at once: most of that time is the way.',
    figures,
  };
}

function waits({ utilization, waitMs, runMs, maxThreads }: WorkerPoolStats): Finding[] {
  if (utilization <= BUSY || waitMs.p50 <= runMs.p50) return [];
  return [
    {
      id: 'threads-too-few',
      severity: 'note',
      text: `${formatCount(maxThreads)} threads are busy for ${formatShare(utilization)} of the time, and jobs waited longer for them (median ${formatDuration(waitMs.p50)}) than they took`,
      advice:
        'Raise maxThreads where there are cores for more; otherwise await ready() before making a task, so that it waits there.',
      figures: { utilization, maxThreads, waitP50Ms: waitMs.p50, runP50Ms: runMs.p50 },
    },
  ];
}

function deaths({ deaths }: WorkerPoolStats): Finding[] {
  if (deaths === 0) return [];
  return [
    {
      id: 'deaths',
      severity: 'warning',
      text: `${formatCount(deaths)} threads have died`,
      advice:
        'Their jobs were rejected with ERR_SLABPOOL_WORKER_DIED, whose cause says why; of one between jobs close() says so.',
      figures: { deaths },
    },
  ];
}

function givenUp({ timedOut, aborted, jobs }: WorkerPoolStats): Finding[] {
  if (timedOut + aborted === 0) return [];
  return [
    {
      id: 'given-up',
      severity: 'note',
      text: `of ${formatCount(jobs)} jobs ${formatCount(timedOut)} got no thread in time, and ${formatCount(aborted)} were aborted`,
      advice:
        'An aborted job that runs takes its thread with it, which the next one has to start: prefer to let short ones end.',
      figures: { timedOut, aborted, jobs },
    },
  ];
}
