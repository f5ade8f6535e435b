// Several threads.
/** @typedef {import('../targets.js').Target} Target */

/** Threads of piscina's. @type {Target[]} */
const WORKERS = ['cloned', 'transferList, a fresh ArrayBuffer each', 'transferList, ArrayBuffers that come back'].map(
  (how) => ({
    what: `workers, 1 MiB inputs: faster than piscina, ${how}`,
    ratio: `workers/1024 KiB/piscina, ${how}`,
    least: 1,
  }),
);

/** @type {Target[]} */
export const threads = [
  {
    what: 'hand-over by Channel: recycled transfer at least 10x slower',
    ratio: 'handover/64 KiB/postMessage, recycled ArrayBuffers transferred there and back',
    least: 10,
  },
  {
    what: 'hand-over by Channel: fresh transfer at least 40x slower',
    ratio: 'handover/64 KiB/postMessage, fresh ArrayBuffers transferred',
    least: 40,
  },
  { what: "hand-over by tickets at most 1.5x of the Channel's time", fact: 'handover/tickets over Channel', most: 1.5 },
  { what: 'hand-over by tickets at most 600 ns', fact: 'handover/ns by tickets', most: 600 },
  ...['p50', 'p99'].map((p) => ({
    what: `latency by Channel, ${p}: at most 1.0 of postMessage`,
    fact: `latency/Channel over postMessage, ${p}`,
    most: 1,
  })),
  ...Object.entries({ '1 acquiring, 1 releasing': 8, '2 acquiring, 2 releasing': 5 }).flatMap(([label, times]) => [
    ...[1, 32].map((batch) => ({
      what: `xmalloc, ${label}: transfer of ${batch} a message at least ${times}x slower`,
      ratio: `xmalloc/${label}/fair JS pool, transfer of ${batch} a message`,
      least: times,
    })),
    { what: `xmalloc, ${label}: hit rate above 95 %`, fact: `xmalloc/${label}: hit rate`, least: 0.95 },
    {
      what: `xmalloc, ${label}: resident at most twice the live set`,
      fact: `xmalloc/${label}: resident over live set`,
      most: 2,
    },
  ]),
  {
    what: 'larson: fair pool and transfer at least 5x slower',
    ratio: 'larson/log-normal sizes, median 2 KiB/fair JS pool, inherited by transfer',
    least: 5,
  },
  {
    what: 'msgpass: recycled transfer at least 5x slower',
    ratio: 'msgpass/16 KiB/postMessage, recycled ArrayBuffers transferred',
    least: 5,
  },
  {
    what: 'scaling: two threads 1.9x of one, or as two processes (3 % is noise)',
    fact: 'scaling/two threads over 1.9, or over two processes if those reach less',
    least: 0.97,
  },
  { what: 'waiting: all are served', fact: 'waiting/served, of those that waited', least: 1 },
  {
    what: 'waiting: in the order of asking, per thread',
    fact: 'waiting/served before one that had asked earlier in the same thread',
    most: 0,
  },
  {
    what: 'waiting: no busy loop (2 % of a CPU is noise)',
    fact: 'waiting/share of a CPU while they wait and nobody releases',
    most: 0.02,
  },
  ...['RSS', 'address space', 'resident in the pool'].map((what) => ({
    what: `killed workers: ${what} grows by at most 10 % after the third sample`,
    fact: `churn/${what}, last sample over third`,
    most: 1.1,
  })),
  ...WORKERS,
];
