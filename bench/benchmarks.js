// The benchmarks, in the order in which they run and are shown.

export const BENCHMARKS = [
  // One thread.
  ...['steady', 'burst', 'live-set', 'read-file', 'steady-state', 'detection', 'core', 'writes'],
  ...['memory', 'jagged', 'decay', 'cold', 'objects', 'resources'],
  // Several threads.
  ...['handover', 'latency', 'xmalloc', 'larson', 'msgpass', 'scaling', 'budget', 'waiting', 'churn', 'workers'],
  // Whole programs.
  ...['io', 'programs', 'memory-limit', 'hostile', 'install'],
];

/** Names that stand for several. */
export const GROUPS = {
  /** Where slabpool is compared with the pure JavaScript pools, with cold memory and with the best allocators. */
  targets: ['steady', 'burst', 'live-set', 'cold', 'xmalloc', 'larson', 'latency', 'core'],
  /** What differs from runtime to runtime. */
  runtimes: ['steady', 'burst', 'live-set', 'memory', 'handover', 'latency', 'xmalloc', 'larson', 'msgpass', 'io'],
};

/**
 * How much is measured: rounds, and seconds of a measurement. In a smoke run just enough for all that a benchmark does to take place.
 * @typedef {{ rounds: number, seconds: number, smoke: boolean }} Effort
 */
export const FULL = { rounds: 7, seconds: 0.2, smoke: false };
export const SMOKE = { rounds: 1, seconds: 0.01, smoke: true };
