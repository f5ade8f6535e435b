import { formatDuration } from '../base/format.js';
import { diagnose } from '../diagnose/diagnose.js';
import type { Diagnosis } from '../diagnose/diagnosis.js';
import { diagnoseObjects } from '../diagnose/objects.js';
import { diagnoseResources } from '../diagnose/resources.js';
import { diagnoseWorkers } from '../diagnose/workers.js';
import type { AnyPoolStats } from '../metrics/observable-pool.js';
import { printable } from './printable.js';
import { bufferLines } from './screens/buffer.js';
import { objectLines } from './screens/object.js';
import { resourceLines } from './screens/resource.js';
import { workerLines } from './screens/worker.js';
import type { TableWriter } from './table.js';

/** One look at the pools of a service. `before`: the last look, for rates; without it they are those of the whole life. */
export function render(now: readonly AnyPoolStats[], before: readonly AnyPoolStats[], table: TableWriter): string {
  if (now.length === 0) return 'no pools';
  const seen = new Map<string, number>();
  const earlier = index(before);
  return now.map((stats) => renderPool(stats, earlier.get(keyOf(stats, seen)), table)).join('\n\n');
}

/** Names need not differ: pools of one kind and name are told apart by their order. */
function keyOf({ kind, name }: AnyPoolStats, seen: Map<string, number>): string {
  const key = `${kind} ${name}`;
  const nth = (seen.get(key) ?? 0) + 1;
  seen.set(key, nth);
  return `${nth} ${key}`;
}

function index(pools: readonly AnyPoolStats[]): Map<string, AnyPoolStats> {
  const seen = new Map<string, number>();
  return new Map(pools.map((stats) => [keyOf(stats, seen), stats]));
}

function renderPool(stats: AnyPoolStats, before: AnyPoolStats | undefined, table: TableWriter): string {
  const diagnosis = diagnosisOf(stats);
  const what = stats.kind === 'buffer' ? stats.backend : `${stats.kind} pool`;
  const head = `${stats.name}  ${what}, ${formatDuration(stats.ageMs)} old${squeeze(stats)}`;
  const parts = [
    printable(`${head}: ${diagnosis.severity}`),
    ...linesOf(stats, before, table),
    ...diagnosis.findings
      .filter(({ severity }) => severity !== 'ok')
      .map(({ severity, text, advice }) => printable(`${severity}: ${text}. ${advice}`)),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function squeeze(stats: AnyPoolStats): string {
  const level = stats.kind === 'buffer' ? stats.pressure.level : 'none';
  return level === 'none' ? '' : `, memory pressure ${level}`;
}

/** `before` is of the same kind. */
function linesOf(stats: AnyPoolStats, before: AnyPoolStats | undefined, table: TableWriter): string[] {
  switch (stats.kind) {
    case 'buffer':
      return bufferLines(stats, before as typeof stats | undefined, table);
    case 'object':
      return objectLines(stats, before as typeof stats | undefined);
    case 'resource':
      return resourceLines(stats, before as typeof stats | undefined);
    case 'worker':
      return workerLines(stats, before as typeof stats | undefined);
  }
}

function diagnosisOf(stats: AnyPoolStats): Diagnosis {
  switch (stats.kind) {
    case 'buffer':
      return diagnose(stats);
    case 'object':
      return diagnoseObjects(stats);
    case 'resource':
      return diagnoseResources(stats);
    case 'worker':
      return diagnoseWorkers(stats);
  }
}
