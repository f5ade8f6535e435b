import type { PoolStats } from '../stats/stats.js';

/** Acquires below which shares mean nothing: from here on a share of one half is known to 3 % (binomial, 95 % confidence). */
export const ENOUGH_ACQUIRES = 1000;

/**
 * `'ok'`: as it should be. `'note'`: good to know. `'warning'`: something is lost, or will be refused. `'debt'`: the pool costs
 * more than it gives back.
 */
export type Severity = 'ok' | 'note' | 'warning' | 'debt';
const SEVERITIES: readonly Severity[] = ['ok', 'note', 'warning', 'debt'];

/** One thing that a pool's stats say. */
export interface Finding {
  /** Which rule found it; stable. */
  readonly id:
    | 'hit-rate'
    | 'too-few-acquires'
    | 'reuse'
    | 'tiers'
    | 'oversize'
    | 'oversize-refused'
    | 'collected'
    | 'held'
    | 'tickets'
    | 'retired'
    | 'budget-too-small'
    | 'budget-too-large'
    | 'waits-for-itself'
    | 'evicted'
    | 'decay'
    | 'vetoed'
    | 'failed'
    | 'pressure'
    | 'size-too-small'
    | 'size-too-large'
    | 'open-failed'
    | 'circuit'
    | 'broken'
    | 'close-failed'
    | 'too-few-jobs'
    | 'jobs'
    | 'threads-too-few'
    | 'deaths'
    | 'given-up';
  /** How much the finding matters. */
  readonly severity: Severity;
  /** What was found, with its figures. */
  readonly text: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly advice: string;
  /** The figures for programs: byte counts end in `Bytes`, shares of 0 to 1 in `Share` or `Rate`, milliseconds in `Ms`. */
  readonly figures: Readonly<Record<string, number | readonly number[]>>;
}

/** What {@link diagnose} found; `String(diagnosis)` is a report. */
export class Diagnosis {
  /** Name of the pool. */
  readonly pool: string;
  /** The worst severity of the findings. */
  readonly severity: Severity;
  /** The worst first; there is at least one. */
  readonly findings: readonly Finding[];

  /** @internal */
  constructor(pool: string, findings: readonly Finding[]) {
    this.pool = pool;
    this.findings = [...findings].sort((a, b) => rank(b) - rank(a));
    this.severity = this.findings[0]?.severity ?? 'ok';
  }

  /** A report of several lines, one or two for each finding. */
  toString(): string {
    const lines = this.findings.map(({ severity, id, text, advice }) => {
      const head = `  ${severity.padEnd(8)}${id}: ${text}`;
      return advice === '' ? head : `${head}\n          ${advice}`;
    });
    return [`pool '${this.pool}': ${this.severity}`, ...lines].join('\n');
  }
}

function rank({ severity }: Finding): number {
  return SEVERITIES.indexOf(severity);
}

/** Bytes of all pooled leases so far. */
export function handedOut({ classes }: PoolStats): number {
  return classes.reduce((sum, { acquires, blockBytes }) => sum + acquires * blockBytes, 0);
}
