import type { ResolvedOptions } from '../options.js';

/** How long tracked leases were out that have ended. */
export interface HoldStats {
  /** Leases. */
  readonly samples: number;
  /** Milliseconds that they were out, all together. */
  readonly totalMs: number;
}

/** What the detection of leaks has found, in this thread. */
export interface LeakStats {
  /** The option `leakDetection`. */
  readonly detection: 'off' | 'sampled' | 'full';
  /** One lease in so many is tracked: the option `leakSampleRate`, or 1 where all are. */
  readonly sampleRate: number;
  /** Leases that are out and tracked. */
  readonly tracked: number;
  /** Tracked leases that were collected without a release. */
  readonly collected: number;
}

/** The figures of the leases that a pool of any kind tracks. */
export function takeLeaseStats(
  { holds, count, collected }: { readonly holds: HoldStats; readonly count: number; readonly collected: number },
  { leakDetection, leakSampleRate }: Pick<ResolvedOptions, 'leakDetection' | 'leakSampleRate'>,
): { holds: HoldStats; leaks: LeakStats } {
  return {
    holds: { ...holds },
    leaks: {
      detection: leakDetection,
      sampleRate: leakDetection === 'full' ? 1 : leakSampleRate,
      tracked: count,
      collected,
    },
  };
}
